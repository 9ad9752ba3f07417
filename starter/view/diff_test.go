package view

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/starter/startertest"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	t.Run("takes_times_for_alike_that_vary_a_little", func(t *testing.T) {
		t.Parallel()
		d := &differ{}
		for _, row := range []struct {
			before, after int // seconds
			differs       bool
		}{{100, 149, false}, {100, 150, true}, {150, 100, true}, {0, 1, true}, {10, 10, false}} {
			d.time("took", startertest.At(row.before).Sub(startertest.At(0)), startertest.At(row.after).Sub(startertest.At(0)))
			require.Equal(t, row.differs, d.Lines[len(d.Lines)-1].Differs, "%+v", row)
		}
	})
}
