package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

// writers counts how many dates write a table at the same time.
type writers struct {
	writing, most map[string]int
}

func (w *writers) write(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
	w.writing[try.Task]++
	w.most[try.Task] = max(w.most[try.Task], w.writing[try.Task])
	defer func() { w.writing[try.Task]-- }()
	return run.Outcome{}, workflow.Sleep(ctx, time.Duration(1+try.Date.Start().Day()%7)*time.Minute)
}

// landThenWrite is an operator with work that needs no slot.
type landThenWrite struct {
	landing *writers
	does
}

func (l landThenWrite) Prepare(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
	return l.landing.write(ctx, try)
}

func TestRangeTogether(t *testing.T) {
	// A range, its runs and the Pools workflow together, with the messages that they exchange on a
	// server.
	t.Run("parallel_dates_land_in_parallel_and_write_one_after_the_other", func(t *testing.T) {
		w := &writers{writing: map[string]int{}, most: map[string]int{}}
		landings := &writers{writing: map[string]int{}, most: map[string]int{}}
		table := dag.DAG{
			{ID: "load", Pool: "load", Do: landThenWrite{landings, w.write}},
			{ID: "clean", After: dag.Tasks{"load"}, Pool: "clean", Do: does(w.write)},
			{ID: "free", After: dag.Tasks{"load"}, Do: does(w.write)},
		}
		env := newEnv(t, dag.Catalog{DAGs: []dag.Definition{{Name: testDAG, DAG: table}}, Pools: []dag.Pool{{Name: "load", Slots: 1}, {Name: "clean", Slots: 2}}})
		const poolsID = "pools-of-the-test"
		tokens := map[string][]byte{}
		key := func(r run.Request) string { return r.WorkflowID + r.ActivityID }
		env.OnActivity(steps.SendToPools, mock.Anything, mock.Anything).Return(func(_ context.Context, m run.PoolsMessage) error {
			env.RegisterDelayedCallback(func() { // the environment takes signals only in callbacks
				require.NoError(t, env.SignalWorkflowByID(poolsID, run.PoolsSignal, m))
			}, time.Millisecond)
			return nil
		})
		env.OnActivity(steps.RunInPool, mock.Anything, mock.Anything).Return(func(ctx context.Context, r run.Request) (run.WorkDone, error) {
			token := activity.GetInfo(ctx).TaskToken
			env.RegisterDelayedCallback(func() { tokens[key(r)] = token }, 0)
			return run.WorkDone{}, activity.ErrResultPending
		})
		env.OnActivity(steps.AnswerRequest, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.AnswerRequestInput) error {
			env.RegisterDelayedCallback(func() {
				require.NoError(t, env.CompleteActivity(tokens[key(in.Request)], in.Done, nil))
				// The environment does not wake a child whose activity is completed from outside.
				require.NoError(t, env.SignalWorkflowByID(in.Request.WorkflowID, run.StartedSignal, run.WorkStarted{}))
			}, 0)
			return nil
		})
		env.OnActivity(steps.FindRequests, mock.Anything, mock.Anything).Return(activities.FoundRequests{}, nil).Once()
		env.OnActivity(steps.FindClosed, mock.Anything, mock.Anything).Return(activities.ClosedRequesters{}, nil).Maybe()
		env.OnActivity(steps.WriteLedger, mock.Anything, mock.Anything).Return(nil).Times(30)
		withLedger()(env)

		namespace := func(ctx workflow.Context) (run.RangeResult, error) {
			workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: poolsID}), run.PoolsWorkflow, run.PoolsState{})
			var result run.RangeResult
			in := run.RangeInput{DAG: testDAG, From: firstOfMonth, To: lastOfMonth, Parallel: 8}
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
		require.Equal(t, 2, w.most["clean"])
		require.Greater(t, landings.most["load"], 1, "landing needs no slot")
		require.Greater(t, w.most["free"], 1)
		env.AssertExpectations(t)
	})
}

func TestCatalog(t *testing.T) {
	// Two DAGs of one catalog run the same date at the same time.
	t.Run("da_gs_run_side_by_side_under_i_ds_of_their_own", func(t *testing.T) {
		c := dag.NewCatalog(dag.Definition{Name: "one", DAG: daily()}, dag.Definition{Name: "two", DAG: daily()[:2]})
		env := newEnv(t, c)
		var written journal[ledger.Entry]
		env.OnActivity(steps.WriteLedger, mock.Anything, mock.Anything).Return(func(_ context.Context, entry ledger.Entry) error {
			written.Add(entry)
			return nil
		}).Twice()
		withLedger()(env)
		both := func(ctx workflow.Context) error {
			var ranges []workflow.Future
			for _, name := range c.Names() {
				options := workflow.ChildWorkflowOptions{WorkflowID: someDeployment.RangeWorkflowID(name, someDay, someDay)}
				in := run.RangeInput{DAG: name, From: someDay, To: someDay}
				ranges = append(ranges, workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), run.RangeWorkflow, in))
			}
			for _, r := range ranges {
				if err := r.Get(ctx, nil); err != nil {
					return err
				}
			}
			return nil
		}
		env.RegisterWorkflowWithOptions(both, workflow.RegisterOptions{Name: "both"})
		began := env.Now()
		env.ExecuteWorkflow("both")
		require.NoError(t, env.GetWorkflowError())
		require.Equal(t, 3*time.Minute, env.Now().Sub(began).Round(time.Second), "neither waits for the other")
		entries := written.All()
		require.Len(t, entries, 2)
		require.Equal(t, []any{"two", someDeployment.WorkflowID("two", someDay), run.Success}, []any{entries[0].DAG, entries[0].WorkflowID, entries[0].State})
		require.Len(t, entries[0].Tasks, 2)
		require.Equal(t, []any{"one", someDeployment.WorkflowID("one", someDay), run.Success}, []any{entries[1].DAG, entries[1].WorkflowID, entries[1].State})
		require.Len(t, entries[1].Tasks, 5)
		env.AssertExpectations(t)
	})
}
