package gost

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// BenchmarkTiming asks whether time tells secrets, as dudect does (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant
// time?"): one fixed secret and random ones are run in random order, and Welch's t compares the two groups of times, as they
// are and with the slowest cut off at many marks. It reports the largest |t|: under 4.5 nothing is seen, over 10 is a leak; it
// grows with the number of measurements where there is one. The /control runs do the same work in a way that is known to leak,
// to show that the method sees it.
//
//	go test ./tokens/gost -run '^$' -bench Timing -benchtime 100000x
func BenchmarkTiming(b *testing.B) {
	b.Run("256", func(b *testing.B) { timings[[4]uint64](b, cryptoProA) })
	b.Run("512", func(b *testing.B) { timings[[8]uint64](b, tc26A512) })
}

func timings[E limbs](b *testing.B, c *curve) {
	g := c.arithmetic().(*group[E])
	w := new(work[E])
	var fixed E
	fixed[0] = 1
	b.Run("multiply", func(b *testing.B) {
		compareTimes(b, g, fixed, func(k *E) { g.multiplyBase(w, k) })
	})
	b.Run("multiply/control", func(b *testing.B) {
		compareTimes(b, g, fixed, func(k *E) { g.multiply(w, k, &g.base) })
	})
	b.Run("invert", func(b *testing.B) {
		compareTimes(b, g, fixed, func(k *E) { g.field.invert(&w.zInverse, k, &w.powers) })
	})
	b.Run("invert/control", func(b *testing.B) {
		compareTimes(b, g, fixed, func(k *E) { g.field.toBig(k).ModInverse(g.field.toBig(k), g.field.toBig(&g.field.m)) })
	})
	digest := make([]byte, c.size)
	d, n := make([]byte, c.size), make([]byte, c.size)
	b.Run("sign", func(b *testing.B) {
		compareTimes(b, g, fixed, func(k *E) {
			putLittle(d, k)
			putLittle(n, k)
			g.sign(d, digest, n)
		})
	})
}

// compareTimes measures do with the fixed secret and with random ones below q, b.N times in all.
func compareTimes[E limbs](b *testing.B, g *group[E], fixed E, do func(k *E)) {
	random := rand.New(rand.NewPCG(13, 14))
	q := g.scalars.toBig(&g.q)
	secrets, isFixed := make([]E, b.N), make([]bool, b.N)
	for i := range secrets {
		// A random secret is made for either group, so that making it leaves the same traces in the caches.
		secrets[i] = limbsOf[E](randomBelow(q, random))
		if isFixed[i] = random.Uint32()&1 == 0; isFixed[i] {
			secrets[i] = fixed
		}
	}
	times := make([]float64, b.N)
	do(&fixed)
	var k E
	b.ResetTimer()
	for i := range secrets {
		k = secrets[i]
		start := time.Now()
		do(&k)
		times[i] = float64(time.Since(start))
	}
	b.StopTimer()
	b.ReportMetric(largestT(times, isFixed), "t")
}

// largestT is the largest |t| over croppings at 100 percentiles and none. Groups of under a hundred say nothing.
func largestT(times []float64, isFixed []bool) float64 {
	sorted := slices.Clone(times)
	slices.Sort(sorted)
	largest := welch(times, isFixed, math.Inf(1))
	for i := range 100 {
		at := int(float64(len(sorted)) * (1 - math.Pow(0.5, 10*float64(i+1)/100)))
		largest = max(largest, welch(times, isFixed, sorted[at]))
	}
	return largest
}

func welch(times []float64, isFixed []bool, limit float64) float64 {
	var n, mean, squares [2]float64
	for i, x := range times {
		if x >= limit {
			continue
		}
		group := 0
		if isFixed[i] {
			group = 1
		}
		n[group]++
		d := x - mean[group]
		mean[group] += d / n[group]
		squares[group] += d * (x - mean[group])
	}
	if n[0] < 100 || n[1] < 100 {
		return 0
	}
	spread := squares[0]/(n[0]-1)/n[0] + squares[1]/(n[1]-1)/n[1]
	if spread == 0 {
		return 0
	}
	return math.Abs(mean[0]-mean[1]) / math.Sqrt(spread)
}
