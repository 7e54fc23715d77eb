package vectors

import (
	"math/rand"
	"slices"
)

// Mutate returns a changed copy of b: one to three times a bit is flipped, a
// byte replaced, put in or taken out, a part repeated, or the end cut off.
func Mutate(random *rand.Rand, b []byte) []byte {
	out := slices.Clone(b)
	for range 1 + random.Intn(3) {
		if len(out) == 0 {
			out = append(out, byte(random.Intn(256)))
			continue
		}
		at := random.Intn(len(out))
		switch random.Intn(10) {
		case 0, 1, 2, 3:
			out[at] ^= 1 << random.Intn(8)
		case 4, 5:
			out[at] = byte(random.Intn(256))
		case 6:
			out = slices.Insert(out, at, byte(random.Intn(256)))
		case 7:
			out = slices.Delete(out, at, at+1)
		case 8:
			end := min(len(out), at+1+random.Intn(40))
			out = slices.Insert(out, random.Intn(len(out)+1), slices.Clone(out[at:end])...)
		case 9:
			out = out[:at]
		}
	}
	return out
}
