package workflows

import (
	"html"
	"strings"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
	"github.com/pinflow/pinflow/workflows/workflowstest"
)

// nasty is a text of an error that quotes what Markdown takes as its own.
const nasty = "clean *geo* in __dev__: `a|b` <b>no</b> [x](javascript:alert(1)) ![i](https://x.org/i.png) https://x.org/a_b www.x.org a@x.org &amp; ~~gone~~ \\\nSELECT 1"

// TestPages holds the pages of workflows in the Web UI: whatever comes from data or from people is
// shown as it is.
func TestPages(t *testing.T) {
	shown := strings.Join(strings.Fields(nasty), " ")

	t.Run("a_run_shows_errors_warnings_and_reasons_as_they_are", func(t *testing.T) {
		fails := does(func(workflow.Context, operators.TaskInstance) (run.Outcome, error) {
			return run.Outcome{}, temporal.NewNonRetryableApplicationError(nasty, failure.NotebookFailed, nil)
		})
		warns := does(func(workflow.Context, operators.TaskInstance) (run.Outcome, error) {
			return run.Outcome{Counted: true}, nil
		})
		env := newEnv(t, catalog(dag.DAG{
			{ID: "load__all_", Do: lander{warns}, Expect: dag.Expect{WarnEmpty: true}},
			{ID: "clean", Tries: 1, Do: fails},
		}))
		env.OnActivity(steps.WriteLedger, mock.Anything, mock.Anything).Return(nil).Once()
		env.ExecuteWorkflow(run.RunWorkflow, run.Input{DAG: testDAG, Date: someDay})
		require.Error(t, env.GetWorkflowError())
		page := strings.ReplaceAll(workflowstest.Rendered(t, workflowstest.Details(t, env)), " <strong>!</strong>", "")
		texts := workflowstest.Cells(t, page)
		require.Equal(t, []string{"load__all_", "success"}, texts[:2])
		require.Equal(t, []string{"clean", "failed", "1", "0s", "", failure.Cut(shown, 200)}, texts[6:12])
	})

	t.Run("a_paused_run_shows_the_reason_as_it_is", func(t *testing.T) {
		r := &dagRun{info: &workflow.Info{}, in: run.Input{DAG: testDAG, Date: someDay}, paused: nasty, tasks: []*run.Task{{ID: "load", State: run.Queued, Waiting: nasty}}}
		page := workflowstest.Rendered(t, r.page())
		require.Equal(t, 2, strings.Count(html.UnescapeString(page), shown), page)
		require.Equal(t, 1, strings.Count(page, "<strong>"), "only the title is bold: %s", page)
	})

	t.Run("a_range_shows_its_reasons_and_errors_as_they_are", func(t *testing.T) {
		r := &rangeRun{in: run.RangeInput{DAG: testDAG, From: someDay, To: someDay}}
		r.Paused, r.Stopped, r.FirstError = nasty, nasty, nasty
		page := r.page()
		for _, line := range []string{"paused: ", "stopped: ", "first error: "} {
			require.Contains(t, html.UnescapeString(workflowstest.Rendered(t, page)), "<p>"+line+failure.Cut(shown, 200)[:150])
		}
		require.NotContains(t, workflowstest.Rendered(t, page), "<em>")
		require.NotContains(t, workflowstest.Rendered(t, page), "<a ")
	})
}
