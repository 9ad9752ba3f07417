package run

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// assembly returns when the runs of dates end that pass through stages of one slot each, so many
// dates at a time. Each stage takes a minute.
func assembly(began time.Time, dates, width, stages int) []time.Time {
	free := make([]time.Time, stages) // when a stage has its slot back
	for i := range free {
		free[i] = began
	}
	var ends []time.Time
	for date := range dates {
		at := began
		if date >= width {
			at = ends[date-width]
		}
		for stage := range stages {
			if free[stage].After(at) {
				at = free[stage]
			}
			at = at.Add(time.Minute)
			free[stage] = at
		}
		ends = append(ends, at)
	}
	return ends
}

func TestPace(t *testing.T) {
	began := time.Date(2022, 10, 19, 0, 0, 0, 0, time.UTC)

	// Whatever the width, an estimate never grows to twice an earlier one, and is about right once
	// the range runs at its full width.
	t.Run("does_not_double", func(t *testing.T) {
		const dates, stages = 60, 3
		for _, width := range []int{1, 2, 3, 4, 8, 16} {
			ends := assembly(began, dates, width, stages)
			p := RangeProgress{RangeResult: RangeResult{Total: dates}, Parallel: width, Pace: NewPace(began, width)}
			_, ok := p.Left()
			require.False(t, ok, "no run has ended")
			lowest := time.Duration(1 << 61)
			for i, end := range ends[:dates-1] {
				p.Success++
				p.Pace.RunEnded(end, width)
				left, ok := p.Left()
				require.True(t, ok)
				actual := ends[dates-1].Sub(end)
				whole := end.Add(left).Sub(began)
				require.Less(t, whole, 2*lowest, "width %d, after %d ends", width, i+1)
				lowest = min(lowest, whole)
				if i >= 2*width {
					require.InDelta(t, actual.Minutes(), left.Minutes(), 2+0.1*actual.Minutes(), "width %d, after %d ends", width, i+1)
				}
			}
		}
	})

	t.Run("follows_a_change_of_the_width", func(t *testing.T) {
		p := NewPace(began, 1)
		at := began
		for range 5 {
			at = at.Add(time.Hour)
			p.RunEnded(at, 1)
		}
		require.Equal(t, time.Hour, p.Each)
		p.Changed(at.Add(50*time.Minute), 1) // now four at a time, without pools
		at = at.Add(time.Hour)
		p.RunEnded(at, 4)
		require.Equal(t, time.Hour, p.Each, "the run that was running says nothing about the new width")
		for range 3 {
			for range 4 {
				p.RunEnded(at.Add(time.Hour), 4)
			}
			at = at.Add(time.Hour)
			require.Equal(t, 15*time.Minute, p.Each)
		}
	})

	t.Run("does_not_count_a_pause", func(t *testing.T) {
		p := NewPace(began, 1)
		p.RunEnded(began.Add(time.Hour), 1)
		p.RunEnded(began.Add(2*time.Hour), 1)
		p.Changed(began.Add(30*time.Hour), 0)
		p.RunEnded(began.Add(31*time.Hour), 1)
		require.Equal(t, time.Hour, p.Each)
	})
}
