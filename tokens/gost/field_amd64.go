package gost

//go:noescape
func mulBelow256(z, x, y *[4]uint64, c uint64)

//go:noescape
func sqrBelow256(z, x *[4]uint64, c uint64)

//go:noescape
func mulAbove256(z, x, y *[4]uint64, c uint64)

//go:noescape
func sqrAbove256(z, x *[4]uint64, c uint64)

//go:noescape
func mulMontgomery256(z, x, y, m *[4]uint64, inverse uint64)

//go:noescape
func sqrMontgomery256(z, x, m *[4]uint64, inverse uint64)

//go:noescape
func add256(z, x, y, m *[4]uint64)

//go:noescape
func sub256(z, x, y, m *[4]uint64)

//go:noescape
func half256(z, x, m *[4]uint64)

//go:noescape
func mulBelow512(z, x, y *[8]uint64, c uint64)

//go:noescape
func sqrBelow512(z, x *[8]uint64, c uint64)

//go:noescape
func sqrAbove512(z, x *[8]uint64, c uint64)

//go:noescape
func mulAbove512(z, x, y *[8]uint64, c uint64)

//go:noescape
func add512(z, x, y, m *[8]uint64)

//go:noescape
func sub512(z, x, y, m *[8]uint64)

//go:noescape
func half512(z, x, m *[8]uint64)

// accelerate puts the machine's own arithmetic into a field.
func accelerate[E limbs](f *field[E]) {
	if !hasWide() {
		return
	}
	switch f := any(f).(type) {
	case *field[[4]uint64]:
		accelerate256(f)
	case *field[[8]uint64]:
		accelerate512(f)
	}
}

func accelerate256(f *field[[4]uint64]) {
	m, c := &f.m, f.fold
	f.add = func(z, x, y *[4]uint64) { add256(z, x, y, m) }
	f.sub = func(z, x, y *[4]uint64) { sub256(z, x, y, m) }
	f.half = func(z, x *[4]uint64) { half256(z, x, m) }
	switch f.kind {
	case montgomery:
		inverse := negativeInverse(m[0])
		f.mul = func(z, x, y *[4]uint64) { mulMontgomery256(z, x, y, m, inverse) }
		f.sqr = func(z, x *[4]uint64) { sqrMontgomery256(z, x, m, inverse) }
	case below:
		f.mul = func(z, x, y *[4]uint64) { mulBelow256(z, x, y, c) }
		f.sqr = func(z, x *[4]uint64) { sqrBelow256(z, x, c) }
	case above:
		f.mul = func(z, x, y *[4]uint64) { mulAbove256(z, x, y, c) }
		f.sqr = func(z, x *[4]uint64) { sqrAbove256(z, x, c) }
	}
}

func accelerate512(f *field[[8]uint64]) {
	m, c := &f.m, f.fold
	f.add = func(z, x, y *[8]uint64) { add512(z, x, y, m) }
	f.sub = func(z, x, y *[8]uint64) { sub512(z, x, y, m) }
	f.half = func(z, x *[8]uint64) { half512(z, x, m) }
	switch f.kind {
	case below:
		f.mul = func(z, x, y *[8]uint64) { mulBelow512(z, x, y, c) }
		f.sqr = func(z, x *[8]uint64) { sqrBelow512(z, x, c) }
	case above:
		f.mul = func(z, x, y *[8]uint64) { mulAbove512(z, x, y, c) }
		f.sqr = func(z, x *[8]uint64) { sqrAbove512(z, x, c) }
	}
}
