package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/workflows"
)

const parallel = 16

// warmth is how many workflows by hand run before a range is timed. An empty database is quicker than any that is in use, whatever runs on
// it (see BenchmarkControl): a range of seconds would be timed on nothing but that.
const warmth = 2_000

// ranged is what a range of many dates took.
type ranged struct {
	wall           time.Duration
	each           []time.Duration // the time per date, of each tenth of the dates
	server, worker memory
	histories      int
	longest        int64 // events of the range's longest history
}

// BenchmarkRange runs a year of dates, and 10,000, with 16 at a time: time per date, memory, and that the range's history stays bounded.
func BenchmarkRange(b *testing.B) {
	var year, decades ranged
	for _, bench := range []struct {
		days int
		name string
		into *ranged
	}{{365, "365", &year}, {10_000, "10,000", &decades}} {
		b.Run(fmt.Sprint(bench.days), func(b *testing.B) {
			w := newWorld(b)
			w.byHand(b, warmth)
			for b.Loop() {
				*bench.into = w.run(b, bench.days)
			}
			b.ReportMetric(0, "ns/op")
			r := bench.into
			b.ReportMetric(float64(bench.days)/r.wall.Seconds(), "runs/s")
			b.ReportMetric(perDate(r.wall, bench.days), "ms/date")
			name := fmt.Sprintf("%s dates, --parallel %d", bench.name, parallel)
			results.add("", name+": time", "%.1f s, %.0f runs/s, %.1f ms/date", r.wall.Seconds(), float64(bench.days)/r.wall.Seconds(), perDate(r.wall, bench.days))
			results.add("", name+": peak memory of worker, server", "%s, %s", mb(r.worker.peak), mb(r.server.peak))
			results.add("bounded", name+": histories of the range, events of the longest", "%d, %d", r.histories, r.longest)
		})
	}
	if year.wall > 0 && decades.wall > 0 {
		results.add("does not grow", "time per date, 10,000 dates against 365", "%.2f ×", perDate(decades.wall, 10_000)/perDate(year.wall, 365))
		var each []string
		for _, tenth := range decades.each {
			each = append(each, fmt.Sprintf("%.0f", float64(tenth.Microseconds())/1000))
		}
		results.add("does not grow", "time per date in ms, each 1,000 of 10,000", "%s", strings.Join(each, " "))
	}
}

func perDate(wall time.Duration, days int) float64 {
	return float64(wall.Microseconds()) / 1000 / float64(days)
}

// run runs so many dates up to yesterday as a backfill.
func (w world) run(b *testing.B, days int) ranged {
	b.Helper()
	to := dates.Of(time.Now()).Add(-1)
	in := workflows.RangeInput{DAG: noopDAG, From: to.Add(1 - days), To: to, Parallel: parallel, Trigger: workflows.Backfill}
	began := time.Now()
	run, err := w.ExecuteWorkflow(b.Context(), workflows.RangeOptions(in), workflows.RangeWorkflow, in)
	require.NoError(b, err)
	ended := make(chan error, 1)
	var result workflows.RangeResult
	go func() { ended <- run.Get(b.Context(), &result) }()
	r := ranged{each: w.tenths(b, run.GetID(), days, ended)}
	require.Equal(b, days, result.Success)
	r.wall = time.Since(began)
	r.server, r.worker = memoryOf(b, w.server), memoryOf(b, w.worker)
	r.histories, r.longest = w.histories(b, run.GetID())
	return r
}

// tenths waits until a range has ended, and says how long a date took in each tenth of its dates.
func (w world) tenths(b *testing.B, id string, days int, ended <-chan error) []time.Duration {
	b.Helper()
	var each []time.Duration
	mark, done := time.Now(), 0
	for {
		select {
		case err := <-ended:
			require.NoError(b, err)
			return append(each, time.Since(mark)/time.Duration(max(days-done, 1)))
		case <-time.After(200 * time.Millisecond):
		}
		if len(each) == 9 {
			continue // the end tells the last
		}
		answer, err := w.QueryWorkflow(b.Context(), id, "", workflows.ProgressQuery)
		if err != nil {
			continue // it is just continuing as new
		}
		var progress workflows.RangeProgress
		require.NoError(b, answer.Get(&progress))
		if now := progress.Done(); now >= (len(each)+1)*days/10 {
			each = append(each, time.Since(mark)/time.Duration(now-done))
			mark, done = time.Now(), now
		}
	}
}

// histories counts the runs of a workflow that continued as new, and the events of the longest.
func (w world) histories(b *testing.B, id string) (count int, longest int64) {
	b.Helper()
	eventually(b, "visibility knows that the range has ended", func() bool {
		answer, err := w.ListWorkflow(b.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: fmt.Sprintf("WorkflowId = '%s'", id), PageSize: 1000})
		require.NoError(b, err)
		count, longest = len(answer.Executions), 0
		for _, execution := range answer.Executions {
			if execution.CloseTime == nil {
				return false
			}
			longest = max(longest, execution.HistoryLength)
		}
		return true
	})
	return count, longest
}
