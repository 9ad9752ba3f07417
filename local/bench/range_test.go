package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
)

const parallel = 16

// The ranges of BenchmarkRange, one after the other on one database, as the speed of a virtual
// machine differs from one minute to another. A server is in use when the timeouts of what has run
// before fall due: it looks at each activity again when its timeout has passed, even if it has
// ended long before. Here that is a minute after it started, which is more than a year of dates
// takes.
const (
	emptyYear  = "365 dates, empty database"
	inUse      = "3,000 dates" // not a measurement of its own: they take over a minute
	firstYear  = "365 dates"
	manyDates  = "10,000 dates"
	secondYear = "365 dates, after the 10,000"
)

// ranged is what a range of many dates took.
type ranged struct {
	days           int
	wall           time.Duration
	each           []time.Duration // the time per date, of each tenth of the dates
	server, worker memory
	histories      int
	longest        int64 // events of the range's longest history
}

// BenchmarkRange runs a year of dates, and 10,000, with 16 at a time: time per date, memory, and
// that the range's history stays bounded.
func BenchmarkRange(b *testing.B) {
	w := newWorld(b)
	found := map[string]ranged{}
	for b.Loop() {
		to := dates.Of(time.Now()).Add(-1)
		for _, r := range []struct {
			name string
			days int
		}{{emptyYear, 365}, {inUse, 3_000}, {firstYear, 365}, {manyDates, 10_000}, {secondYear, 365}} {
			found[r.name] = w.run(b, to.Add(1-r.days), to)
			to = to.Add(-r.days)
		}
	}
	for _, name := range []string{emptyYear, firstYear, manyDates, secondYear} {
		r := found[name]
		results.add("", fmt.Sprintf("%s, --parallel %d: time", name, parallel), "%.1f s, %.0f runs/s, %.1f ms/date", r.wall.Seconds(), float64(r.days)/r.wall.Seconds(), r.perDate())
		if name == firstYear || name == secondYear {
			continue // only the time is another than that of the other ranges
		}
		results.add("", name+": peak memory of worker, server", "%s, %s", mb(r.worker.peak), mb(r.server.peak))
		results.add("bounded", name+": histories of the range, events of the longest", "%d, %d", r.histories, r.longest)
	}
	many := found[manyDates]
	growth := many.perDate() / found[firstYear].perDate()
	results.add("does not grow", "time per date, 10,000 dates against 365", "%.2f ×", growth)
	results.add("does not grow", "time per date in ms, each 1,000 of 10,000", "%s", many.tenthsInMS())
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(many.perDate(), "ms/date")
	b.ReportMetric(growth, "growth")
}

// perDate is the time per date in milliseconds.
func (r ranged) perDate() float64 { return milliseconds(r.wall) / float64(r.days) }

func (r ranged) tenthsInMS() string {
	var each []string
	for _, tenth := range r.each {
		each = append(each, fmt.Sprintf("%.0f", milliseconds(tenth)))
	}
	return strings.Join(each, " ")
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// run runs the dates as a backfill.
func (w world) run(b *testing.B, from, to dates.Date) ranged {
	b.Helper()
	days := from.Days(to)
	in := run.RangeInput{DAG: noopDAG, From: from, To: to, Parallel: parallel, Trigger: run.Backfill}
	began := time.Now()
	found, err := w.ExecuteWorkflow(b.Context(), launch.RangeOptions(run.DefaultDeployment, in), run.RangeWorkflow, in)
	require.NoError(b, err)
	ended := make(chan error, 1)
	var result run.RangeResult
	go func() { ended <- found.Get(b.Context(), &result) }()
	r := ranged{days: days, each: w.tenths(b, found.GetID(), days, ended)}
	require.Equal(b, days, result.Success)
	r.wall = time.Since(began)
	r.server, r.worker = memoryOf(b, w.server), memoryOf(b, w.worker)
	r.histories, r.longest = w.histories(b, found.GetID())
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
		answer, err := w.QueryWorkflow(b.Context(), id, "", run.ProgressQuery)
		if err != nil {
			continue // it is just continuing as new
		}
		var progress run.RangeProgress
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
