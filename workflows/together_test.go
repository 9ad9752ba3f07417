package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
)

// writers watches how many dates write one table at the same time.
type writers struct {
	writing, most map[string]int
}

func (w *writers) write(ctx workflow.Context, try TaskInstance) (Outcome, error) {
	w.writing[try.Task]++
	w.most[try.Task] = max(w.most[try.Task], w.writing[try.Task])
	defer func() { w.writing[try.Task]-- }()
	return Outcome{}, workflow.Sleep(ctx, time.Duration(1+try.Date.Start().Day()%7)*time.Minute)
}

// landThenWrite is an operator with a part that needs no slot.
type landThenWrite struct {
	landing *writers
	Does
}

func (l landThenWrite) Prepare(ctx workflow.Context, try TaskInstance) (Outcome, error) {
	return l.landing.write(ctx, try)
}

// Range, its runs and the pools together: they talk to each other as they do on Temporal.
func TestRange_DatesInParallelLandInParallelAndWriteInTurn(t *testing.T) {
	w := &writers{writing: map[string]int{}, most: map[string]int{}}
	landings := &writers{writing: map[string]int{}, most: map[string]int{}}
	// A pool has two slots here, and one holder that never leaves: one is left, and the pool does not end between two requests.
	pools := []dag.Pool{{"load", 2}, {"clean", 2}}
	table := dag.DAG{
		{ID: "load", Pool: "load", Do: landThenWrite{landings, w.write}},
		{ID: "clean", After: dag.Tasks{"load"}, Pool: "clean", Do: Does(w.write)},
		{ID: "free", After: dag.Tasks{"load"}, Do: Does(w.write)},
	}
	c := dag.Catalog{DAGs: []dag.Definition{{Name: TestDAG, DAG: table}}, Pools: pools}
	env := newEnv(t, c)
	send := func(m run.SlotMessage) error {
		env.RegisterDelayedCallback(func() { // which is where the environment may be told
			require.NoError(t, env.SignalWorkflowByID(run.PoolWorkflowID(m.Slot.Pool), run.PoolSignal, m))
		}, 0)
		return nil
	}
	env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error { return send(m) })
	env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.SlotMessage) error {
		m.Release = true
		return send(m)
	})
	env.OnActivity(findGone, mock.Anything, mock.Anything).Return(activities.GoneSlots{}, nil).Maybe()
	env.OnActivity(writeLedger, mock.Anything, mock.Anything).Return(nil).Times(30)
	withLedger()(env)

	namespace := func(ctx workflow.Context) (run.RangeResult, error) {
		for _, p := range pools {
			stays := run.Slot{Pool: p.Name, Task: "stays"}
			workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: run.PoolWorkflowID(p.Name)}),
				run.PoolWorkflow, run.PoolState{Name: p.Name, Slots: 2, Holders: []run.Slot{stays}})
		}
		var result run.RangeResult
		in := run.RangeInput{DAG: TestDAG, From: firstOfMonth, To: lastOfMonth, Parallel: 8}
		err := workflow.ExecuteChildWorkflow(ctx, run.RangeWorkflow, in).Get(ctx, &result)
		return result, err
	}
	env.RegisterWorkflowWithOptions(namespace, workflow.RegisterOptions{Name: "namespace"})
	env.ExecuteWorkflow("namespace")
	require.NoError(t, env.GetWorkflowError())
	var result run.RangeResult
	require.NoError(t, env.GetWorkflowResult(&result))
	require.Equal(t, 30, result.Success)
	require.Equal(t, 1, w.most["load"])
	require.Equal(t, 1, w.most["clean"])
	require.Greater(t, landings.most["load"], 1, "landing needs no slot")
	require.Greater(t, w.most["free"], 1)
	env.AssertExpectations(t)
}
