package e2e

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
	"github.com/pinflow/pinflow/workflows/operators"
)

// summing is a DAG in which a task depends on the past, with its own worker on a tenant's Temporal
// and S3.
type summing struct {
	t          *testing.T
	client     client.Client
	deployment run.Deployment
	mu         sync.Mutex
	sums       []dates.Date // that have been summed up, in their order
	broken     map[dates.Date]bool
}

const summingDAG = "summing"

// step runs the activity Sum, or nothing.
type step struct {
	Sums bool `json:"sums,omitempty"`
}

func (step) Effects() dag.Effects { return dag.Effects{} }

func (s step) Run(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
	if !s.Sums {
		return run.Outcome{}, nil
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: patience, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1}})
	return run.Outcome{Rows: 1}, workflow.ExecuteActivity(ctx, "Sum", try.Date).Get(ctx, nil)
}

func startSumming(t *testing.T) *summing {
	s := startBareTenant(t)
	s.must("setup")
	objects, err := s3.New(t.Context(), config.Config{Deployment: s.deployment(), Bucket: s.setting("PINFLOW_BUCKET"), S3PathStyle: true})
	require.NoError(t, err)
	d := &summing{t: t, client: s.temporal(), deployment: s.deployment(), broken: map[dates.Date]bool{}}
	catalog := dag.Catalog{
		DAGs: []dag.Definition{{Name: summingDAG, DAG: dag.DAG{
			{ID: "read", Do: step{}},
			{ID: "sum", After: dag.Tasks{"read"}, Tries: 1, Pool: "narrow", DependsOnPast: true, Do: step{Sums: true}},
		}}},
		Pools: []dag.Pool{{Name: "narrow", Slots: 1}},
	}
	require.NoError(t, catalog.Validate())
	w := worker.New(d.client, s.deployment().TaskQueue(), worker.Options{})
	workflows.Register(w, catalog, operators.ByName{"step": step{}})
	ledger := &ledger.Ledger{Objects: objects}
	w.RegisterActivity(&activities.Ledger{Ledger: ledger})
	w.RegisterActivity(&activities.Pools{Client: d.client, Deployment: s.deployment()})
	w.RegisterActivity(&activities.Runs{Client: d.client})
	w.RegisterActivity(&activities.Past{Client: d.client, Ledger: ledger})
	w.RegisterActivityWithOptions(d.sum, activity.RegisterOptions{Name: "Sum"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return d
}

func (d *summing) sum(_ context.Context, date dates.Date) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken[date] {
		return errors.New("nothing adds up")
	}
	d.sums = append(d.sums, date)
	return nil
}

func (d *summing) setBroken(date dates.Date, broken bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken[date] = broken
}

func (d *summing) run(date dates.Date, again ...string) client.WorkflowRun {
	d.t.Helper()
	in := run.Input{DAG: summingDAG, Date: date, Trigger: run.Manual, RerunTasks: again}
	run, err := d.client.ExecuteWorkflow(d.t.Context(), launch.RunOptions(d.deployment, in), run.RunWorkflow, in)
	require.NoError(d.t, err)
	return run
}

func (d *summing) task(r client.WorkflowRun) run.Task {
	answer, err := d.client.QueryWorkflow(d.t.Context(), r.GetID(), r.GetRunID(), run.StatusQuery)
	require.NoError(d.t, err)
	var status run.Status
	require.NoError(d.t, answer.Get(&status))
	return status.Tasks[1]
}

func TestPast(t *testing.T) {
	t.Parallel()
	t.Run("a_backfill_sums_up_in_the_order_of_the_dates_and_a_rerun_of_an_earlier_one_stops_nothing", func(t *testing.T) {
		onShared.enter(t)
		d := startSumming(t)
		in := run.RangeInput{DAG: summingDAG, From: "2022-10-01", To: "2022-10-06", Parallel: 4, Trigger: run.Backfill}
		backfill, err := d.client.ExecuteWorkflow(t.Context(), launch.RangeOptions(d.deployment, in), run.RangeWorkflow, in)
		require.NoError(t, err)
		require.NoError(t, backfill.Get(t.Context(), nil))
		want := []dates.Date{"2022-10-01", "2022-10-02", "2022-10-03", "2022-10-04", "2022-10-05", "2022-10-06"}
		require.Equal(t, want, d.sums, "four dates at a time, and still one after the other")

		d.setBroken("2022-10-07", true)
		require.ErrorContains(t, d.run("2022-10-07").Get(t.Context(), nil), "nothing adds up")
		next := d.run("2022-10-08")
		waits := func() bool { return d.task(next).Waiting == "sum of 2022-10-07" }
		require.Eventually(t, waits, patience, 50*time.Millisecond)
		d.setBroken("2022-10-07", false)
		require.NoError(t, d.run("2022-10-07", "sum").Get(t.Context(), nil), "the one that waits holds no slot of the pool")
		require.NoError(t, next.Get(t.Context(), nil))
		require.Equal(t, append(want, "2022-10-07", "2022-10-08"), d.sums)
		require.Equal(t, 1, d.task(next).Tries)
	})
}
