package bench

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
)

// pairs is how many runs of each kind are timed, in turn, so that whatever disturbs the machine
// disturbs both.
const pairs = 300

// BenchmarkRun_AgainstByHand times one run of a DAG of five tasks that do nothing, against a plain
// workflow of the same five activities. Both are timed from the client's request to the client's
// answer, on an idle server and the same worker.
func BenchmarkRun_AgainstByHand(b *testing.B) {
	w := newWorld(b)
	day := dates.Of(time.Now())
	next := func() dates.Date { day = day.Add(-1); return day }
	for range 20 { // the caches of both are warm
		w.time(b, runOf(noopDAG, next()))
		w.time(b, plain)
	}
	for b.Loop() {
		var run, hand []time.Duration
		for range pairs {
			run = append(run, w.time(b, runOf(noopDAG, next())))
			hand = append(hand, w.time(b, plain))
		}
		ratio50, ratio95 := at(run, 50)/at(hand, 50), at(run, 95)/at(hand, 95)
		b.ReportMetric(at(run, 50), "run-p50-ms")
		b.ReportMetric(at(hand, 50), "hand-p50-ms")
		b.ReportMetric(ratio50, "ratio")
		results.add("", fmt.Sprintf("five no-op tasks by hand, %d times: p50, p95", pairs), "%.1f ms, %.1f ms", at(hand, 50), at(hand, 95))
		results.add("", "the same as a DAG run: p50, p95", "%.1f ms, %.1f ms", at(run, 50), at(run, 95))
		results.add("≤ 1.3 ×", "DAG run against by hand: p50, p95", "%.2f ×, %.2f ×", ratio50, ratio95)
	}
	b.ReportMetric(0, "ns/op") // of all pairs together: it says nothing
}

// starting starts a workflow.
type starting func(*testing.B, client.Client) (client.WorkflowRun, error)

func plain(b *testing.B, c client.Client) (client.WorkflowRun, error) {
	return c.ExecuteWorkflow(b.Context(), client.StartWorkflowOptions{TaskQueue: run.DefaultDeployment.TaskQueue()}, handWritten)
}

func runOf(dag string, date dates.Date) starting {
	return func(b *testing.B, c client.Client) (client.WorkflowRun, error) {
		in := run.Input{DAG: dag, Date: date, Trigger: run.Manual}
		return c.ExecuteWorkflow(b.Context(), launch.RunOptions(run.DefaultDeployment, in), run.RunWorkflow, in)
	}
}

// time is how long a workflow takes from the request to the answer.
func (w world) time(b *testing.B, start starting) time.Duration {
	b.Helper()
	began := time.Now()
	run, err := start(b, w)
	require.NoError(b, err)
	require.NoError(b, run.Get(b.Context(), nil))
	return time.Since(began)
}

// at is a percentile of durations, in milliseconds.
func at(all []time.Duration, percent int) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return milliseconds(sorted[(len(sorted)-1)*percent/100])
}
