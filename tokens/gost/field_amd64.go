package gost

func accelerate[E limbs](*field[E]) {}
