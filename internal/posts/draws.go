package posts

import (
	"iter"
	"math/bits"

	"gonum.org/v1/gonum/mathext/prng"
)

const (
	// Seed is the seed of the emulation, and so of all posts.
	Seed = 100
	// lastDraw is the largest row number that the emulation draws. The tables have some more rows.
	lastDraw = 11_000
)

// Draws returns the rows that the original emulation posts, in order, without rows from the given
// number on. The original is a Python script: random.seed(100), and for each post a pause of
// randrange(0, 2) seconds and the row randint(0, 11000). Draws draws the pause, too, because the
// next draw depends on it.
func Draws(rows int) iter.Seq[int] {
	return func(yield func(int) bool) {
		source := prng.NewMT19937()
		source.SeedFromKeys([]uint32{Seed}) // as Python seeds with a small integer
		if rows < 1 {
			return
		}
		for {
			below(source, 2)
			row := below(source, lastDraw+1)
			if row < rows && !yield(row) {
				return
			}
		}
	}
}

// below draws from [0, n) like Python's randrange: as many of the upper bits as n has, until they
// are a number below n.
func below(source *prng.MT19937, n int) int {
	unused := 32 - bits.Len32(uint32(n))
	for {
		if r := int(source.Uint32() >> unused); r < n {
			return r
		}
	}
}
