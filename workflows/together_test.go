package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
)

// writers watches how many dates write one table at the same time.
type writers struct {
	writing, most map[string]int
}

func (w *writers) write(ctx workflow.Context, try Try) (Outcome, error) {
	w.writing[try.Task]++
	w.most[try.Task] = max(w.most[try.Task], w.writing[try.Task])
	defer func() { w.writing[try.Task]-- }()
	return Outcome{}, workflow.Sleep(ctx, time.Duration(1+try.Date.Start().Day()%7)*time.Minute)
}

// landThenWrite is an operator with a part that needs no slot.
type landThenWrite struct {
	landing *writers
	does
}

func (l landThenWrite) Prepare(ctx workflow.Context, try Try) (Outcome, error) {
	return l.landing.write(ctx, try)
}

// Range, its runs and the pools together: they talk to each other as they do on Temporal.
func TestRange_DatesInParallelLandInParallelAndWriteInTurn(t *testing.T) {
	w := &writers{writing: map[string]int{}, most: map[string]int{}}
	landings := &writers{writing: map[string]int{}, most: map[string]int{}}
	// A pool has two slots here, and one holder that never leaves: one is left, and the pool does not end between two requests.
	pools := []Pool{{"load", 2}, {"clean", 2}}
	dag := DAG{
		{ID: "load", Pool: "load", Do: landThenWrite{landings, w.write}},
		{ID: "clean", After: Tasks{"load"}, Pool: "clean", Do: does(w.write)},
		{ID: "free", After: Tasks{"load"}, Do: does(w.write)},
	}
	c := Catalog{DAGs: []Named{{Name: testDAG, DAG: dag}}, Pools: pools}
	env := newEnv(t, c)
	send := func(m activities.SlotMessage) error {
		env.RegisterDelayedCallback(func() { // which is where the environment may be told
			require.NoError(t, env.SignalWorkflowByID(activities.PoolID(m.Slot.Pool), activities.PoolSignal, m))
		}, 0)
		return nil
	}
	env.OnActivity(requestSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m activities.SlotMessage) error { return send(m) })
	env.OnActivity(releaseSlot, mock.Anything, mock.Anything).Return(func(_ context.Context, m activities.SlotMessage) error {
		m.Release = true
		return send(m)
	})
	env.OnActivity(findGone, mock.Anything, mock.Anything).Return(activities.GoneSlots{}, nil).Maybe()
	env.OnActivity(writeLedger, mock.Anything, mock.Anything).Return(nil).Times(30)
	ledger()(env)

	namespace := func(ctx workflow.Context) (RangeResult, error) {
		for _, p := range pools {
			stays := activities.Slot{Pool: p.Name, Task: "stays"}
			workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: activities.PoolID(p.Name)}),
				PoolWorkflow, activities.PoolState{Name: p.Name, Slots: 2, Holders: []activities.Slot{stays}})
		}
		var result RangeResult
		in := RangeInput{DAG: testDAG, From: firstOfMonth, To: lastOfMonth, Parallel: 8}
		err := workflow.ExecuteChildWorkflow(ctx, RangeWorkflow, in).Get(ctx, &result)
		return result, err
	}
	env.RegisterWorkflowWithOptions(namespace, workflow.RegisterOptions{Name: "namespace"})
	env.ExecuteWorkflow("namespace")
	require.NoError(t, env.GetWorkflowError())
	var result RangeResult
	require.NoError(t, env.GetWorkflowResult(&result))
	require.Equal(t, 30, result.Success)
	require.Equal(t, 1, w.most["load"])
	require.Equal(t, 1, w.most["clean"])
	require.Greater(t, landings.most["load"], 1, "landing needs no slot")
	require.Greater(t, w.most["free"], 1)
	env.AssertExpectations(t)
}
