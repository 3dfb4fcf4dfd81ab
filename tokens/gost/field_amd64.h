// What field256_amd64.s and field512_amd64.s have in common: the arithmetic of field_portable.go on machines with MULX, ADCX and ADOX,
// where two carry chains run side by side. No branch and no address depends on the numbers.

// NEXT is one word of a row: DX times the word at offset of SI, added to lo and hi.
#define NEXT(offset, lo, hi) \
	MULXQ offset(SI), AX, BX; \
	ADCXQ AX, lo;             \
	ADOXQ BX, hi

// FOLD is one step of the upper half, times DX, onto the lower: hi becomes the sum's word, carry the next carry.
#define FOLD(hi, lo, carry, next) \
	MULXQ hi, hi, next; \
	ADCXQ lo, hi;       \
	ADOXQ carry, hi
