package gost

// cpuid is the instruction of this name for a leaf, subleaf 0.
func cpuid(leaf uint32) (eax, ebx, ecx uint32)

// xgetbv is the lower half of the register XCR0.
func xgetbv() uint32

// hasWide says whether this processor has BMI2 (MULX) and ADX (ADCX, ADOX).
func hasWide() bool {
	const bmi2, adx = 1 << 8, 1 << 19 // leaf 7, ebx
	if last, _, _ := cpuid(0); last < 7 {
		return false
	}
	_, ebx, _ := cpuid(7)
	return ebx&bmi2 != 0 && ebx&adx != 0
}

// hasVectors says whether this processor and its operating system have AVX-512 with VBMI, BW and GFNI.
func hasVectors() bool {
	const (
		osxsave         = 1 << 27            // leaf 1, ecx
		avx512f         = 1 << 16            // leaf 7, ebx
		avx512bw        = 1 << 30            // leaf 7, ebx
		avx512vbmi      = 1 << 1             // leaf 7, ecx
		gfni            = 1 << 8             // leaf 7, ecx
		registersStored = 1<<1 | 1<<2 | 7<<5 // XCR0: XMM, YMM, masks and both halves of ZMM
	)
	if last, _, _ := cpuid(0); last < 7 {
		return false
	}
	if _, _, ecx := cpuid(1); ecx&osxsave == 0 || xgetbv()&registersStored != registersStored {
		return false
	}
	_, ebx, ecx := cpuid(7)
	return ebx&avx512f != 0 && ebx&avx512bw != 0 && ecx&avx512vbmi != 0 && ecx&gfni != 0
}
