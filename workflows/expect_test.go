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

func TestExpect_SaysAllThatIsBrokenWithTheFigures(t *testing.T) {
	for name, c := range map[string]struct {
		expect dag.Expect
		out    Outcome
		want   string
	}{
		"nothing expected":         {dag.Expect{}, Outcome{}, ""},
		"enough rows":              {dag.Expect{MinRows: 3}, Outcome{Rows: 3}, ""},
		"too few rows":             {dag.Expect{MinRows: 3}, Outcome{Rows: 2}, "2 rows, expected at least 3"},
		"share met":                {dag.Expect{MaxQuarantined: 25}, Outcome{Records: 4, Quarantined: 1}, ""},
		"share broken":             {dag.Expect{MaxQuarantined: 20}, Outcome{Records: 4, Quarantined: 1}, "1 of 4 records quarantined, 25.0 %, expected at most 20 %"},
		"more elements than all":   {dag.Expect{MaxQuarantined: 99}, Outcome{Records: 1, Quarantined: 5}, "5 of 1 records quarantined, 100.0 %, expected at most 99 %"},
		"no records":               {dag.Expect{MaxQuarantined: 1}, Outcome{}, ""},
		"answers":                  {dag.Expect{NotEmpty: true}, Outcome{Tables: []run.TableRows{{Table: "a", Rows: 1}}}, ""},
		"an answer is empty":       {dag.Expect{NotEmpty: true}, Outcome{Tables: []run.TableRows{{Table: "a", Rows: 1}, {Table: "b"}}}, "table b is empty"},
		"no answers at all":        {dag.Expect{NotEmpty: true}, Outcome{}, "no tables, expected some that are not empty"},
		"all mistakes, one by one": {dag.Expect{MinRows: 1, MaxQuarantined: 1}, Outcome{Records: 1, Quarantined: 1}, "0 rows, expected at least 1\n1 of 1 records quarantined, 100.0 %, expected at most 1 %"},
	} {
		err := c.expect.Check(c.out)
		if c.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.EqualError(t, err, c.want, name)
	}
}

// counts mocks what the warehouse counts, once.
func counts(answer activities.RowCounts, err error) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(countRows, mock.Anything, activities.CountRowsInput{Date: SomeDay, Cleans: "pin"}).Return(
			func(context.Context, activities.CountRowsInput) (activities.RowCounts, error) { return answer, err }).Once()
	}
}

func cleaning(expect dag.Expect) dag.DAG {
	return dag.DAG{{ID: "clean_pin", Do: Notebook{Name: "clean_pin", Cleans: "pin"}, Expect: expect, RetryDelay: time.Hour}}
}

func TestExpect_ABrokenExpectationFailsTheTaskWithoutAnotherTry(t *testing.T) {
	l := newLake()
	p := play(t, cleaning(dag.Expect{MaxQuarantined: 5}), run.Input{}, l.mockNotebooks, counts(activities.RowCounts{Counted: true, Rows: 90, Records: 100, Quarantined: 10}, nil))
	require.ErrorContains(t, p.err, "its outcome is not as expected: 10 of 100 records quarantined, 10.0 %, expected at most 5 %")
	require.Equal(t, []int{1}, l.starts("clean_pin"))
	require.EqualValues(t, 90, p.task("clean_pin").Rows, "the figures are kept")
	require.EqualValues(t, 10, p.entry.Tasks[0].Quarantined)
}

func TestExpect_ABrokenExpectationHoldsIfItSaysSo(t *testing.T) {
	l := newLake()
	var refused []string
	p := play(t, cleaning(dag.Expect{MinRows: 91, Hold: true}), run.Input{}, l.mockNotebooks,
		counts(activities.RowCounts{Counted: true, Rows: 90}, nil),
		func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				decide(env, run.Decision{Task: "clean_pin", Choice: run.SucceedTask, By: "ann", Reason: "a holiday"}, &refused)
			}, time.Minute)
		})
	require.Empty(t, refused)
	require.NoError(t, p.err)
	require.Equal(t, "succeed by ann: a holiday", p.task("clean_pin").Decision)
}

func TestExpect_WithoutFiguresTheTaskFailsOnlyIfItDemandsThem(t *testing.T) {
	l := newLake()
	denied := temporal.NewNonRetryableApplicationError("the warehouse refuses the worker", failure.AccessDenied, nil)
	p := play(t, cleaning(dag.Expect{}), run.Input{}, l.mockNotebooks, counts(activities.RowCounts{}, denied))
	require.NoError(t, p.err, "figures for information must not fail a run")
	p = play(t, cleaning(dag.Expect{}), run.Input{}, l.mockNotebooks, counts(activities.RowCounts{}, nil))
	require.NoError(t, p.err)
	dag := cleaning(dag.Expect{MinRows: 1})
	dag[0].Tries = 1
	p = play(t, dag, run.Input{}, l.mockNotebooks, counts(activities.RowCounts{}, nil))
	require.ErrorContains(t, p.err, "set PINFLOW_WAREHOUSE_ID for the workers")
}
