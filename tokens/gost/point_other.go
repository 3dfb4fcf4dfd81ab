//go:build !amd64

package gost

func fastPick[E limbs](z *affine[E], from *place[E], digit uint64) { pick(z, from, digit) }
