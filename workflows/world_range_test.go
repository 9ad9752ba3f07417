package workflows

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
	"github.com/pinflow/pinflow/workflows/workflowstest"
)

// month is thirty dates, all over.
const (
	firstOfMonth = dates.Date("2022-09-01")
	lastOfMonth  = dates.Date("2022-09-30")
)

// window replaces the runs of a range, and observes how many of them run at a time.
type window struct {
	mu      sync.Mutex
	running int
	most    int
	starts  []dates.Date
	samples []sample
	inputs  []run.Input
	// takes returns how long a date's run takes, ends its error.
	takes func(dates.Date) time.Duration
	ends  func(dates.Date) error
	// taken is how often Temporal still rejects the start of a date, because another run has its
	// id.
	taken map[dates.Date]int
	// partial is how often the run of a date still sees only part of it.
	partial map[dates.Date]int
}

// sample is how many runs were running from a moment on.
type sample struct {
	at      time.Time
	running int
}

func newWindow() *window {
	return &window{
		takes: func(dates.Date) time.Duration { return time.Minute },
		ends:  func(dates.Date) error { return nil },
		taken: map[dates.Date]int{}, partial: map[dates.Date]int{},
	}
}

// uneven returns durations between a minute and an hour that do not follow the dates.
func uneven(date dates.Date) time.Duration {
	day := date.Start().Day()
	return time.Duration(1+(day*37)%60) * time.Minute
}

func (w *window) run(ctx workflow.Context, in run.Input) (run.Result, error) {
	if w.taken[in.Date] > 0 {
		w.taken[in.Date]--
		return run.Result{}, &temporal.ChildWorkflowExecutionAlreadyStartedError{}
	}
	w.change(ctx, +1, in)
	defer w.change(ctx, -1, in)
	if err := workflow.Sleep(ctx, w.takes(in.Date)); err != nil {
		return run.Result{}, err
	}
	result := run.Result{Date: in.Date, Until: in.Date.End()}
	if w.partial[in.Date] > 0 {
		w.partial[in.Date]--
		result.Partial, result.Until = true, in.Date.End().Add(-time.Minute)
	}
	return result, w.ends(in.Date)
}

func (w *window) change(ctx workflow.Context, by int, in run.Input) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running += by
	w.most = max(w.most, w.running)
	w.samples = append(w.samples, sample{workflow.Now(ctx), w.running})
	if by > 0 {
		w.starts = append(w.starts, in.Date)
		w.inputs = append(w.inputs, in)
	}
}

// withLedger mocks a ledger with these entries.
func withLedger(entries ...ledger.Entry) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(steps.ReadLedger, mock.Anything, mock.Anything).Return(func(_ context.Context, in ledger.Query) (activities.LedgerEntries, error) {
			var answer activities.LedgerEntries
			for _, e := range entries {
				if in.From <= e.Date && e.Date <= in.To {
					answer.Entries = append(answer.Entries, e)
				}
			}
			return answer, nil
		})
	}
}

// ranged is the end of a range.
type ranged struct {
	result   run.RangeResult
	progress run.RangeProgress
	err      error
	took     time.Duration
}

func playRange(t *testing.T, w *window, in run.RangeInput, prepare ...func(*testsuite.TestWorkflowEnvironment)) ranged {
	t.Helper()
	in.DAG = testDAG
	env := workflowstest.NewEnv()
	env.RegisterWorkflowWithOptions(w.run, workflow.RegisterOptions{Name: run.RunWorkflow})
	env.RegisterWorkflowWithOptions(Workflows{Catalog: catalog(daily()), Operators: keeping{}}.Range, workflow.RegisterOptions{Name: run.RangeWorkflow})
	for _, f := range prepare {
		f(env)
	}
	began := env.Now()
	env.ExecuteWorkflow(run.RangeWorkflow, in)
	require.True(t, env.IsWorkflowCompleted())
	r := ranged{err: env.GetWorkflowError(), took: env.Now().Sub(began)}
	answer, err := env.QueryWorkflow(run.ProgressQuery)
	require.NoError(t, err)
	require.NoError(t, answer.Get(&r.progress))
	if r.err == nil {
		require.NoError(t, env.GetWorkflowResult(&r.result))
	}
	env.AssertExpectations(t)
	return r
}
