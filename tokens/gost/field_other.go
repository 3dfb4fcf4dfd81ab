//go:build !amd64

package gost

// accelerate has nothing to offer this machine.
func accelerate[E limbs](*field[E]) {}
