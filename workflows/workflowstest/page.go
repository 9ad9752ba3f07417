package workflowstest

import (
	"bytes"
	"html"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/testsuite"
)

// Rendered returns Markdown as HTML, as the Web UI reads it: CommonMark with GitHub's extensions.
func Rendered(t require.TestingT, text string) string {
	var b bytes.Buffer
	require.NoError(t, goldmark.New(goldmark.WithExtensions(extension.GFM)).Convert([]byte(text), &b))
	return b.String()
}

// Cells returns the texts of the cells of the tables in HTML. It fails if a cell holds an element.
func Cells(t require.TestingT, page string) (texts []string) {
	for _, cell := range regexp.MustCompile(`(?s)<td>(.*?)</td>`).FindAllStringSubmatch(page, -1) {
		require.NotContains(t, cell[1], "<", "plain text")
		texts = append(texts, html.UnescapeString(cell[1]))
	}
	return texts
}

// Details returns the current details of a workflow, as its page in the Web UI shows them.
func Details(t *testing.T, env *testsuite.TestWorkflowEnvironment) string {
	answer, err := env.QueryWorkflow("__temporal_workflow_metadata")
	require.NoError(t, err)
	var page sdkpb.WorkflowMetadata
	require.NoError(t, answer.Get(&page))
	return page.GetCurrentDetails()
}
