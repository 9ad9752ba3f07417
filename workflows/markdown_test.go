package workflows

import (
	"bytes"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

// rendered returns Markdown as HTML, as the Web UI reads it: CommonMark with GitHub's extensions.
func rendered(t require.TestingT, text string) string {
	var b bytes.Buffer
	require.NoError(t, goldmark.New(goldmark.WithExtensions(extension.GFM)).Convert([]byte(text), &b))
	return b.String()
}

// cells returns the texts of the cells of the tables in HTML. It fails if a cell holds an element.
func cells(t require.TestingT, page string) (texts []string) {
	for _, cell := range regexp.MustCompile(`(?s)<td>(.*?)</td>`).FindAllStringSubmatch(page, -1) {
		require.NotContains(t, cell[1], "<", "plain text")
		texts = append(texts, html.UnescapeString(cell[1]))
	}
	return texts
}

// details returns the current details of a workflow, as its page in the Web UI shows them.
func details(t *testing.T, env *testsuite.TestWorkflowEnvironment) string {
	answer, err := env.QueryWorkflow("__temporal_workflow_metadata")
	require.NoError(t, err)
	var page sdkpb.WorkflowMetadata
	require.NoError(t, answer.Get(&page))
	return page.GetCurrentDetails()
}

// nasty is a text of an error that quotes what Markdown takes as its own.
const nasty = "clean *geo* in __dev__: `a|b` <b>no</b> [x](javascript:alert(1)) ![i](https://x.org/i.png) https://x.org/a_b www.x.org a@x.org &amp; ~~gone~~ \\\nSELECT 1"

func TestEscape(t *testing.T) {
	t.Run("shows_a_text_as_it_is_in_a_cell_of_a_table", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			pieces := rapid.SliceOfN(rapid.OneOf(
				rapid.SampledFrom([]string{"*", "**", "_", "__", "`", "``", "|", "\\", "[", "](", ")", "<", ">", "<b>", "&amp;", "&", "~~", "!", "https://x.org", "www.x.org", "a@x.org", "mailto:a@x.org", " ", "\n", "\n\n", "#", "- ", "1. ", "clean_geo", "$", "word"}),
				rapid.String(),
			), 1, 12).Draw(t, "pieces")
			text := strings.ToValidUTF8(strings.ReplaceAll(strings.Join(pieces, ""), "\x00", ""), "")
			want := strings.Join(strings.Fields(text), " ")
			got := cells(t, rendered(t, head("note", "end")+row(escape(text), "end")))
			require.Equal(t, []string{want, "end"}, got)
		})
	})

	t.Run("leaves_common_text_readable", func(t *testing.T) {
		require.Equal(t, "try 2 failed (after 0.5 s), retrying - a date of 2022-10-18", escape("try 2 failed (after 0.5 s), retrying - a date of 2022-10-18"))
	})
}

func TestLink(t *testing.T) {
	t.Run("has_its_address_whatever_it_contains", func(t *testing.T) {
		page := rendered(t, head("note")+row(link("Databricks run", "https://x.org/?o=1|2#job/(3)/run/<4>")))
		require.Contains(t, page, `<a href="https://x.org/?o=1%7C2#job/%283%29/run/%3C4%3E">Databricks run</a>`)
	})

	t.Run("is_none_to_anything_but_a_page_of_the_web", func(t *testing.T) {
		page := rendered(t, head("note")+row(link("run", "javascript:alert(1)")))
		require.Equal(t, []string{"run javascript:alert(1)"}, cells(t, page))
	})
}

// TestPages holds the pages of workflows in the Web UI: whatever comes from data or from people is
// shown as it is.
func TestPages(t *testing.T) {
	shown := strings.Join(strings.Fields(nasty), " ")

	t.Run("a_run_shows_errors_warnings_and_reasons_as_they_are", func(t *testing.T) {
		fails := does(func(workflow.Context, TaskInstance) (run.Outcome, error) {
			return run.Outcome{}, temporal.NewNonRetryableApplicationError(nasty, failure.NotebookFailed, nil)
		})
		warns := does(func(workflow.Context, TaskInstance) (run.Outcome, error) { return run.Outcome{Counted: true}, nil })
		env := newEnv(t, catalog(dag.DAG{
			{ID: "load__all_", Do: lander{warns}, Expect: dag.Expect{WarnEmpty: true}},
			{ID: "clean", Tries: 1, Do: fails},
		}))
		env.OnActivity(writeLedger, mock.Anything, mock.Anything).Return(nil).Once()
		env.ExecuteWorkflow(run.RunWorkflow, run.Input{DAG: testDAG, Date: someDay})
		require.Error(t, env.GetWorkflowError())
		page := strings.ReplaceAll(rendered(t, details(t, env)), " <strong>!</strong>", "")
		texts := cells(t, page)
		require.Equal(t, []string{"load__all_", "success"}, texts[:2])
		require.Equal(t, []string{"clean", "failed", "1", "0s", "", cut(shown, 200)}, texts[6:12])
	})

	t.Run("a_paused_run_shows_the_reason_as_it_is", func(t *testing.T) {
		r := &dagRun{info: &workflow.Info{}, in: run.Input{DAG: testDAG, Date: someDay}, paused: nasty, tasks: []*run.Task{{ID: "load", State: run.Queued, Waiting: nasty}}}
		page := rendered(t, r.page())
		require.Equal(t, 2, strings.Count(html.UnescapeString(page), shown), page)
		require.Equal(t, 1, strings.Count(page, "<strong>"), "only the title is bold: %s", page)
	})

	t.Run("a_range_shows_its_reasons_and_errors_as_they_are", func(t *testing.T) {
		r := &rangeRun{in: run.RangeInput{DAG: testDAG, From: someDay, To: someDay}}
		r.Paused, r.Stopped, r.FirstError = nasty, nasty, nasty
		page := r.page()
		for _, line := range []string{"paused: ", "stopped: ", "first error: "} {
			require.Contains(t, html.UnescapeString(rendered(t, page)), "<p>"+line+cut(shown, 200)[:150])
		}
		require.NotContains(t, rendered(t, page), "<em>")
		require.NotContains(t, rendered(t, page), "<a ")
	})
}

func TestSummary(t *testing.T) {
	t.Run("names_the_date_on_the_page_of_the_pools", func(t *testing.T) {
		try := TaskInstance{DAG: testDAG, Date: someDay, Task: "load", Number: 2}
		require.Equal(t, "load try 2: count rows", try.summary("count %s", "rows"))
		try.Pooled = true
		require.Equal(t, "load of test 2022-10-18 try 2: count rows", try.summary("count %s", "rows"))
	})
}
