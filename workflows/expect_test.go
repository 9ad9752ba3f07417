package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

// counts is what the warehouse counts, once.
func counts(answer activities.RowCounts, err error) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(steps.CountRows, mock.Anything, activities.CountRowsInput{Dates: []dates.Date{someDay}, Cleans: "pin"}).Return(
			func(context.Context, activities.CountRowsInput) (activities.RowCounts, error) { return answer, err }).Once()
	}
}

// counted is what the warehouse counts of a date.
func counted(of activities.DateCounts) activities.RowCounts {
	return activities.RowCounts{Counted: true, Dates: []activities.DateCounts{of}}
}

// lander is a function that lands a topic.
type lander struct{ does }

func (lander) Effects() dag.Effects { return dag.Effects{Lands: []string{"pin"}} }

func cleaning(expect dag.Expect) dag.DAG {
	return dag.DAG{{ID: "clean_pin", Do: operators.Notebook{Name: "clean_pin", Cleans: "pin"}, Expect: expect, RetryDelay: time.Hour}}
}

func TestExpect(t *testing.T) {
	t.Run("a_broken_expectation_fails_the_task_without_another_try", func(t *testing.T) {
		l := newLake()
		p := play(t, cleaning(dag.Expect{MaxQuarantined: 5}), run.Input{}, l.mockNotebooks, counts(counted(activities.DateCounts{Rows: 90, Records: 100, Quarantined: 10}), nil))
		require.ErrorContains(t, p.err, "the outcome is not as expected: 10 of 100 records quarantined, 10.0 %, expected at most 5 %")
		require.Equal(t, []int{1}, l.starts("clean_pin"))
		require.EqualValues(t, 90, p.task("clean_pin").Rows, "the counts are kept")
		require.EqualValues(t, 10, p.entry.Tasks[0].Quarantined)
	})

	t.Run("a_broken_expectation_can_hold_the_task", func(t *testing.T) {
		l := newLake()
		var rejected []string
		p := play(t, cleaning(dag.Expect{MinRows: 91, Hold: true}), run.Input{}, l.mockNotebooks,
			counts(counted(activities.DateCounts{Rows: 90}), nil),
			func(env *testsuite.TestWorkflowEnvironment) {
				env.RegisterDelayedCallback(func() {
					decide(env, run.Decision{Task: "clean_pin", Choice: run.SucceedTask, By: "ann", Reason: "a holiday"}, &rejected)
				}, time.Minute)
			})
		require.Empty(t, rejected)
		require.NoError(t, p.err)
		require.Equal(t, "succeed by ann: a holiday", p.task("clean_pin").Decision)
	})

	t.Run("a_warning_fails_nothing", func(t *testing.T) {
		l := newLake()
		p := play(t, cleaning(dag.Expect{WarnQuarantined: 50}), run.Input{}, l.mockNotebooks, counts(counted(activities.DateCounts{Records: 5, Quarantined: 5}), nil))
		require.NoError(t, p.err)
		require.Equal(t, run.Success, p.entry.State)
		require.Equal(t, []string{"clean_pin: 5 of 5 records quarantined, 100.0 %, more than 50 %"}, p.entry.Warnings)
		require.True(t, p.entry.Warned())
		require.Equal(t, []string{"5 of 5 records quarantined, 100.0 %, more than 50 %"}, p.task("clean_pin").Warnings)
		require.True(t, p.task("clean_pin").Counted, "it counted 0 rows")

		p = play(t, cleaning(dag.Expect{WarnQuarantined: 50}), run.Input{}, l.mockNotebooks, counts(counted(activities.DateCounts{Rows: 5, Records: 5}), nil))
		require.Empty(t, p.entry.Warnings)
		require.False(t, p.entry.Warned())
	})

	t.Run("warns_that_it_could_not_count", func(t *testing.T) {
		l := newLake()
		denied := temporal.NewNonRetryableApplicationError("the warehouse rejected the credentials", failure.AccessDenied, nil)
		p := play(t, cleaning(dag.Expect{WarnQuarantined: 50}), run.Input{}, l.mockNotebooks, counts(activities.RowCounts{}, denied))
		require.NoError(t, p.err)
		require.Equal(t, []string{"clean_pin: the records were not counted: the warehouse rejected the credentials"}, p.entry.Warnings)
		p = play(t, cleaning(dag.Expect{WarnQuarantined: 50}), run.Input{}, l.mockNotebooks, counts(activities.RowCounts{}, nil))
		require.Empty(t, p.entry.Warnings, "without a warehouse nothing is counted by design")
	})

	t.Run("a_warned_run_is_found_by_its_search_attribute", func(t *testing.T) {
		for records, want := range map[int64]bool{0: true, 1: false} {
			landed := does(func(workflow.Context, operators.TaskInstance) (run.Outcome, error) {
				return run.Outcome{Counted: true, Rows: records}, nil
			})
			env := newEnv(t, catalog(dag.DAG{{ID: "load", Do: lander{landed}, Expect: dag.Expect{WarnEmpty: true}}}))
			env.OnActivity(steps.WriteLedger, mock.Anything, mock.Anything).Return(nil).Once()
			upserts := 0
			env.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
				upserts++
				warned, _ := args.Get(0).(temporal.SearchAttributes).GetBool(search.Warned)
				require.Equal(t, want, warned)
			}).Return(nil)
			env.ExecuteWorkflow(run.RunWorkflow, run.Input{DAG: testDAG, Date: someDay})
			require.NoError(t, env.GetWorkflowError())
			require.Equal(t, 1, upserts, "it is set with the others: an event of its own would be one too many")
		}
	})

	t.Run("a_warning_is_on_the_page_of_the_run", func(t *testing.T) {
		landed := does(func(workflow.Context, operators.TaskInstance) (run.Outcome, error) {
			return run.Outcome{Counted: true}, nil
		})
		env := newEnv(t, catalog(dag.DAG{{ID: "load", Do: lander{landed}, Expect: dag.Expect{WarnEmpty: true}}}))
		env.OnActivity(steps.WriteLedger, mock.Anything, mock.Anything).Return(nil).Once()
		env.ExecuteWorkflow(run.RunWorkflow, run.Input{DAG: testDAG, Date: someDay})
		answer, err := env.QueryWorkflow("__temporal_workflow_metadata")
		require.NoError(t, err)
		var page sdkpb.WorkflowMetadata
		require.NoError(t, answer.Get(&page))
		require.Contains(t, page.GetCurrentDetails(), "success · **!** 1 warning\n")
		require.Contains(t, page.GetCurrentDetails(), "| load | success **!** | 1 | 0s | 0 | no records |")
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
