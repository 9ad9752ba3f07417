package view

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/starter/startertest"
)

func TestGantt(t *testing.T) {
	t.Parallel()
	t.Run("axis_fits_any_length", func(t *testing.T) {
		t.Parallel()
		for _, length := range []time.Duration{0, 40 * time.Millisecond, 3 * time.Second, 75 * time.Second, 50 * time.Minute, 30 * time.Hour, 400 * time.Hour} {
			axis := ganttAxis{startertest.Noon, startertest.Noon.Add(length), 57}
			ticks := axis.ticks()
			require.NotEmpty(t, ticks, length)
			require.LessOrEqual(t, len([]rune(ticks)), 57, length)
			require.LessOrEqual(t, axis.column(startertest.Noon.Add(length)), 57)
		}
	})
}
