package workflows

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

// rebuilding is a catalog with reports whose DAG rebuilds a table.
func rebuilding(reports bool, query operators.Operator) dag.Catalog {
	c := catalog(dag.DAG{{ID: "load", Do: does(ok)}, {ID: "query", After: dag.Tasks{"load"}, Tries: 1, Do: rebuilds{query}}})
	c.Reports = reports
	return c
}

// rebuilds is an operator that rebuilds a table.
type rebuilds struct{ operators.Operator }

func (rebuilds) Effects() dag.Effects { return dag.Effects{Rebuilds: []string{"answer"}} }

func TestReport(t *testing.T) {
	in := run.Input{DAG: testDAG, Date: someDay}

	t.Run("is_written_before_a_run_that_succeeded_ends", func(t *testing.T) {
		var asked activities.WriteReportInput
		p := playCatalog(t, rebuilding(true, does(ok)), in, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.WriteReport, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.WriteReportInput) (activities.WrittenReport, error) {
				asked = in
				return activities.WrittenReport{URI: "s3://b/reports/x.html"}, nil
			}).Once()
		})
		require.NoError(t, p.err)
		require.Equal(t, run.Success, p.entry.State)
		require.Equal(t, "s3://b/reports/x.html", p.entry.Report)
		require.Empty(t, p.entry.Warnings)
		require.Equal(t, testDAG, asked.Scope.DAG)
		require.Equal(t, someDeployment, asked.Scope.Deployment)
		require.Equal(t, []string{"answer"}, asked.Scope.Tables())
		require.Equal(t, run.Success, asked.Run.Task("query").State)
	})

	t.Run("that_cannot_be_written_is_a_warning", func(t *testing.T) {
		p := playCatalog(t, rebuilding(true, does(ok)), in, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.WriteReport, mock.Anything, mock.Anything).Return(activities.WrittenReport{}, temporal.NewNonRetryableApplicationError("no SQL warehouse", "x", nil)).Once()
		})
		require.NoError(t, p.err)
		require.Equal(t, run.Success, p.entry.State)
		require.True(t, p.entry.Warned())
		require.Equal(t, []string{"the report was not written: no SQL warehouse"}, p.entry.Warnings)
		require.Empty(t, p.entry.Report)
	})

	t.Run("holds_a_run_up_for_minutes_at_most", func(t *testing.T) {
		p := playCatalog(t, rebuilding(true, does(ok)), in, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.WriteReport, mock.Anything, mock.Anything).Return(activities.WrittenReport{}, errors.New("the warehouse is away"))
		})
		require.NoError(t, p.err)
		require.Equal(t, run.Success, p.entry.State)
		require.Contains(t, p.entry.Warnings[0], "the warehouse is away")
		require.Less(t, p.took, 15*time.Minute)
	})

	t.Run("is_not_written_without_the_setting_or_a_success_or_tables", func(t *testing.T) {
		for name, c := range map[string]dag.Catalog{
			"without the setting": rebuilding(false, does(ok)),
			"failed":              rebuilding(true, does(bad)),
			"without tables":      func() dag.Catalog { c := catalog(daily()); c.Reports = true; return c }(),
		} {
			t.Run(name, func(t *testing.T) {
				p := playCatalog(t, c, in, func(env *testsuite.TestWorkflowEnvironment) {
					env.OnActivity(steps.WriteReport, mock.Anything, mock.Anything).Never()
				})
				require.Empty(t, p.entry.Report)
				require.Empty(t, p.entry.Warnings)
			})
		}
	})
}
