package workflows

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/notebooks"
	"github.com/pinflow/pinflow/workflows/operators"
)

// rewrite rewrites golden files.
var rewrite = flag.Bool("update", false, "rewrite the golden files")

// requireGolden compares a text with a golden file.
func requireGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *rewrite {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "rewrite it with `go test ./workflows -run %s -update`", t.Name())
}

// TestDaily is the only test of the production DAG. All others have DAGs of their own, so that a
// change of this one changes the golden file alone.
func TestDaily(t *testing.T) {
	t.Run("is_the_golden_file", func(t *testing.T) {
		requireGolden(t, "daily.golden", definitionText(Daily))
	})

	t.Run("is_valid_with_the_notebooks_of_this_build", func(t *testing.T) {
		require.NoError(t, DefaultCatalog.Validate())
		require.NoError(t, operators.Check(DefaultCatalog, operators.Default))
		var sources []string
		for _, notebook := range notebooks.All() {
			sources = append(sources, notebook.Name)
		}
		for _, task := range Daily.DAG {
			require.Equal(t, 1, DefaultCatalog.Slots(task.Pool), "task %s writes tables of its own, one date at a time", task.ID)
			switch do := task.Do.(type) {
			case operators.Load:
				require.Contains(t, sources, do.Notebook)
			case operators.Notebook:
				require.Contains(t, sources, do.Name)
			default:
				require.Fail(t, "unknown operator", "%T", do)
			}
		}
	})

	t.Run("rejects_parameters_of_another_date_and_invalid_values", func(t *testing.T) {
		require.Error(t, Daily.Params.Check(map[string]string{"logical_date": "2022-10-18"}), "a run cannot write another date")
		require.Error(t, Daily.Params.Check(map[string]string{"invalid_followers": "maybe"}))
	})
}

// definitionText returns a definition as text, a line for each property.
func definitionText(d dag.Definition) string {
	var b strings.Builder
	line := func(name string, value any) { fmt.Fprintf(&b, "%s: %+v\n", name, value) }
	line("name", d.Name)
	line("schedule", d.Schedule)
	line("deadline", d.Deadline)
	line("run timeout", d.RunTimeout)
	line("hold", d.Hold)
	line("params", d.Params)
	line("pools", d.Pools)
	b.WriteString("\n" + d.DAG.Text(nil))
	for _, task := range d.DAG {
		fmt.Fprintf(&b, "\n%s\n", task.ID)
		line("  after", task.After)
		line("  trigger rule", task.TriggerRule.Name())
		line("  tries", task.MaxTries())
		line("  retry delay", task.DelayBetweenTries())
		line("  timeout", task.Timeout)
		line("  pool", task.Pool)
		line("  depends on past", task.DependsOnPast)
		line("  expect", task.Expect)
		line("  do", fmt.Sprintf("%T %+v", task.Do, task.Do))
	}
	return b.String()
}
