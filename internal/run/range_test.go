package run

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRangeProgress(t *testing.T) {
	t.Run("estimates_the_time_left", func(t *testing.T) {
		_, ok := RangeProgress{}.Left()
		require.False(t, ok, "no run has ended yet")
		p := RangeProgress{RangeResult: RangeResult{Total: 30, Success: 10}, Parallel: 4, Pace: Pace{Each: 30 * time.Second}}
		left, ok := p.Left()
		require.True(t, ok)
		require.Equal(t, 10*time.Minute, left)
		p.Paused = "ann: lunch"
		_, ok = p.Left()
		require.False(t, ok, "a paused range starts nothing")
	})
}
