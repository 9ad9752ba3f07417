package bench

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// controls is how many workflows by hand are run as a control of the range: enough to be past the first thousand.
const controls = 3_000

// BenchmarkControl runs plain workflows of the same five activities, as many at a time as the range runs dates, on a fresh database. What
// slows down here as the database grows is not the orchestrator's.
func BenchmarkControl(b *testing.B) {
	w := newWorld(b)
	for b.Loop() {
		ends := w.byHand(b, controls)
		tenth := controls / 10
		var each []string
		took := func(i int) float64 { return perDate(ends[i*tenth].Sub(ends[(i-1)*tenth]), tenth) }
		for i := 1; i <= 10; i++ {
			each = append(each, fmt.Sprintf("%.0f", took(i)))
		}
		b.ReportMetric(took(10)/took(1), "last/first")
		results.add("", fmt.Sprintf("control: %d workflows by hand, %d at a time: ms each, of each %d", controls, parallel, tenth), "%s", strings.Join(each, " "))
		results.add("", "control: the last of these against the first", "%.2f ×", took(10)/took(1))
	}
	b.ReportMetric(0, "ns/op")
}

// byHand runs so many plain workflows, and returns when the first was asked for and when each ended.
func (w world) byHand(b *testing.B, count int) []time.Time {
	b.Helper()
	var done atomic.Int64
	ends := make([]time.Time, count+1)
	ends[0] = time.Now()
	var group errgroup.Group
	group.SetLimit(parallel)
	for range count {
		group.Go(func() error {
			run, err := plain(b, w)
			if err != nil {
				return err
			}
			if err := run.Get(b.Context(), nil); err != nil {
				return err
			}
			ends[done.Add(1)] = time.Now()
			return nil
		})
	}
	require.NoError(b, group.Wait())
	return ends
}
