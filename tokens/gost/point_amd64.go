package gost

//go:noescape
func pick256(z *affine[[4]uint64], from *place[[4]uint64], digit uint64)

//go:noescape
func pick512(z *affine[[8]uint64], from *place[[8]uint64], digit uint64)

// fastPick is pick with the vector registers every amd64 has.
func fastPick[E limbs](z *affine[E], from *place[E], digit uint64) {
	switch z := any(z).(type) {
	case *affine[[4]uint64]:
		pick256(z, any(from).(*place[[4]uint64]), digit)
	case *affine[[8]uint64]:
		pick512(z, any(from).(*place[[8]uint64]), digit)
	}
}
