package gen

import (
	"math/bits"

	"github.com/trunklog/trunklog/call"
)

// An rng is a stream of random numbers: SplitMix64, by Steele, Lea and Flood,
// "Fast splittable pseudorandom number generators", OOPSLA 2014. Its state is
// one number, so that every row can have streams of its own.
type rng uint64

// The streams, by what they decide. The output of a seed depends on their numbers.
const (
	streamCall = iota + 1 // what the legs of a call share, by the number of its first row
	streamRow
	streamLate
	streamDay
	streamSlot
	streamStart
	streamPerson
	streamBot
	streamParty
	streamTrouble
)

// stream returns the n-th stream of a kind.
func stream(seed uint64, kind, n uint64) rng {
	return rng(mix(mix(seed+kind*0x9e3779b97f4a7c15) ^ n))
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *rng) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	return mix(uint64(*r))
}

// below returns a number from 0 to n-1.
func (r *rng) below(n uint64) uint64 {
	hi, _ := bits.Mul64(r.next(), n)
	return hi
}

// between returns a number from lo to hi-1.
func (r *rng) between(lo, hi uint64) uint64 { return lo + r.below(hi-lo) }

// chance reports true n times in 1,000.
func (r *rng) chance(n uint64) bool { return r.below(1000) < n }

// guid returns a GUID that looks like one of the given version (RFC 9562).
func (r *rng) guid(version byte) call.GUID {
	var g call.GUID
	hi, lo := r.next(), r.next()
	for i := range 8 {
		g[i], g[8+i] = byte(hi>>(56-8*i)), byte(lo>>(56-8*i))
	}
	g[6] = g[6]&0x0f | version<<4
	g[8] = g[8]&0x3f | 0x80
	return g
}

// logNormal returns a number whose logarithm is normally distributed, with a
// median of 75,000 and a standard deviation of 3.5 times: the milliseconds for
// which people talk. It is at most 4 hours.
func (r *rng) logNormal() uint64 {
	// The sum of eight uniform numbers is close to normal: mean 262,140,
	// standard deviation 53,509.
	var sum int64
	for range 2 {
		for v, i := r.next(), 0; i < 4; i++ {
			sum += int64(v & 0xffff)
			v >>= 16
		}
	}
	// x is log2 of the answer in units of 2⁻¹⁶.
	x := 1_061_355 + (sum-262_140)*2261/1024
	if x < 0 {
		return 1
	}
	return min(exp2(uint64(x)), 4*60*60*1000)
}

// exp2 returns 2 to the power of x/2¹⁶, to four digits. x is less than 32·2¹⁶.
func exp2(x uint64) uint64 {
	f := x & 0xffff
	// 1 + 0.6951786 f + 0.2276 f² + 0.0772214 f³, in units of 2⁻¹⁶.
	p := 5061 * f >> 16
	p = (14_916 + p) * f >> 16
	p = (45_559 + p) * f >> 16
	return (1<<16 + p) << (x >> 16) >> 16
}

// mulDiv returns a·b/c rounded down. The result must fit.
func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Div64(hi, lo, c)
	return q
}
