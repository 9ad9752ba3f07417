package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

// counts is what the warehouse counts, once.
func counts(answer activities.RowCounts, err error) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(countRows, mock.Anything, activities.CountRowsInput{Date: someDay, Cleans: "pin"}).Return(
			func(context.Context, activities.CountRowsInput) (activities.RowCounts, error) { return answer, err }).Once()
	}
}

func cleaning(expect dag.Expect) dag.DAG {
	return dag.DAG{{ID: "clean_pin", Do: Notebook{Name: "clean_pin", Cleans: "pin"}, Expect: expect, RetryDelay: time.Hour}}
}

func TestExpect(t *testing.T) {
	t.Run("a_broken_expectation_fails_the_task_without_another_try", func(t *testing.T) {
		l := newLake()
		p := play(t, cleaning(dag.Expect{MaxQuarantined: 5}), run.Input{}, l.mockNotebooks, counts(activities.RowCounts{Counted: true, Rows: 90, Records: 100, Quarantined: 10}, nil))
		require.ErrorContains(t, p.err, "the outcome is not as expected: 10 of 100 records quarantined, 10.0 %, expected at most 5 %")
		require.Equal(t, []int{1}, l.starts("clean_pin"))
		require.EqualValues(t, 90, p.task("clean_pin").Rows, "the counts are kept")
		require.EqualValues(t, 10, p.entry.Tasks[0].Quarantined)
	})

	t.Run("a_broken_expectation_can_hold_the_task", func(t *testing.T) {
		l := newLake()
		var rejected []string
		p := play(t, cleaning(dag.Expect{MinRows: 91, Hold: true}), run.Input{}, l.mockNotebooks,
			counts(activities.RowCounts{Counted: true, Rows: 90}, nil),
			func(env *testsuite.TestWorkflowEnvironment) {
				env.RegisterDelayedCallback(func() {
					decide(env, run.Decision{Task: "clean_pin", Choice: run.SucceedTask, By: "ann", Reason: "a holiday"}, &rejected)
				}, time.Minute)
			})
		require.Empty(t, rejected)
		require.NoError(t, p.err)
		require.Equal(t, "succeed by ann: a holiday", p.task("clean_pin").Decision)
	})

	t.Run("without_counts_the_task_fails_only_if_it_requires_them", func(t *testing.T) {
		l := newLake()
		denied := temporal.NewNonRetryableApplicationError("the warehouse rejected the credentials", failure.AccessDenied, nil)
		p := play(t, cleaning(dag.Expect{}), run.Input{}, l.mockNotebooks, counts(activities.RowCounts{}, denied))
		require.NoError(t, p.err, "counts that only inform must not fail a run")
		p = play(t, cleaning(dag.Expect{}), run.Input{}, l.mockNotebooks, counts(activities.RowCounts{}, nil))
		require.NoError(t, p.err)
		dag := cleaning(dag.Expect{MinRows: 1})
		dag[0].Tries = 1
		p = play(t, dag, run.Input{}, l.mockNotebooks, counts(activities.RowCounts{}, nil))
		require.ErrorContains(t, p.err, "set PINFLOW_WAREHOUSE_ID for the workers")
	})
}
