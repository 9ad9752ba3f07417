package e2e

import (
	"encoding/json"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/run"
)

// What readers without a terminal get: the page, in the bucket and on standard output, and the
// dashboard.
func TestReaders(t *testing.T) {
	onShared.enter(t)
	s := startTenant(t, "PINFLOW_REPORTS=on")
	s.post(wire.lines(t), 0, 1)
	s.must("run", today(), "--wait")
	var export answers.Export
	require.NoError(t, json.Unmarshal([]byte(s.must("answers", "-o", "json")), &export))

	t.Run("a_run_writes_its_report", func(t *testing.T) {
		var status run.Status
		require.NoError(t, json.Unmarshal([]byte(s.must("status", today(), "-o", "json")), &status))
		require.Empty(t, status.Warnings)
		key := fmt.Sprintf("reports/pinterest-daily/%s.html", today())
		require.True(t, strings.HasSuffix(status.Report, "/"+key), status.Report)
		objects, err := s3.New(t.Context(), config.Config{Deployment: s.deployment(), Bucket: s.setting("PINFLOW_BUCKET"), S3PathStyle: true})
		require.NoError(t, err)
		page, err := objects.Get(t.Context(), key)
		require.NoError(t, err)
		requireRows(t, export, string(page))
		query := status.Task("query")
		for _, text := range []string{status.RunID, query.NotebookHash, fmt.Sprint(query.JobRunID), "the date was not over"} {
			require.Contains(t, string(page), text)
		}
	})

	t.Run("the_starter_writes_the_same", func(t *testing.T) {
		page := s.must("answers", "-o", "html")
		requireRows(t, export, page)
		if dir := os.Getenv("PINFLOW_SCREENSHOTS"); dir != "" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "answers.html"), []byte(page), 0o644))
		}
	})

	t.Run("a_table_has_the_run_that_made_the_answers", func(t *testing.T) {
		var status run.Status
		require.NoError(t, json.Unmarshal([]byte(s.must("status", today(), "-o", "json")), &status))
		w, err := databricks.NewWorkspaceClient(&databricks.Config{Host: s.setting("DATABRICKS_HOST"), Token: s.setting("DATABRICKS_TOKEN")})
		require.NoError(t, err)
		done, err := w.StatementExecution.ExecuteAndWait(t.Context(), sql.ExecuteStatementRequest{
			Statement:   "SELECT logical_dates, run_id, notebook_hash FROM " + strings.ReplaceAll(string(s.deployment()), "-", "_") + ".answers_made_by",
			WarehouseId: s.setting("PINFLOW_WAREHOUSE_ID"),
		})
		require.NoError(t, err)
		require.Equal(t, sql.StatementStateSucceeded, done.Status.State, "%v", done.Status.Error)
		require.Equal(t, [][]string{{today(), status.RunID, status.Task("query").NotebookHash}}, done.Result.DataArray)
	})

	t.Run("the_dashboard_is_pushed_once_and_its_queries_run", func(t *testing.T) {
		require.Contains(t, s.must("dashboard", "push"), "new  ")
		require.Contains(t, s.must("dashboard", "push"), "same  ")
		w, err := databricks.NewWorkspaceClient(&databricks.Config{Host: s.setting("DATABRICKS_HOST"), Token: s.setting("DATABRICKS_TOKEN")})
		require.NoError(t, err)
		object, err := w.Workspace.GetStatus(t.Context(), workspace.GetStatusRequest{Path: "/Shared/" + string(s.deployment()) + "/Answers of pinterest-daily.lvdash.json"})
		require.NoError(t, err)
		board, err := w.Lakeview.GetByDashboardId(t.Context(), object.ResourceId)
		require.NoError(t, err)
		var content struct {
			Datasets []struct {
				Name       string
				QueryLines []string
			}
		}
		require.NoError(t, json.Unmarshal([]byte(board.SerializedDashboard), &content))
		require.GreaterOrEqual(t, len(content.Datasets), 9)
		for _, set := range content.Datasets {
			done, err := w.StatementExecution.ExecuteAndWait(t.Context(), sql.ExecuteStatementRequest{Statement: strings.Join(set.QueryLines, ""), WarehouseId: s.setting("PINFLOW_WAREHOUSE_ID")})
			require.NoError(t, err, set.Name)
			require.Equal(t, sql.StatementStateSucceeded, done.Status.State, "%s: %v", set.Name, done.Status.Error)
			require.NotEmpty(t, done.Result.DataArray, set.Name)
			if rows, ok := export.Answers[set.Name]; ok {
				require.Len(t, done.Result.DataArray, len(rows), set.Name)
			}
		}
	})
}

var (
	sections = regexp.MustCompile(`(?s)<section id="([a-z0-9_]+)">(.*?)</section>`)
	bodies   = regexp.MustCompile(`(?s)<tbody>(.*?)</tbody>`)
	tableRow = regexp.MustCompile(`<tr>(.*?)</tr>`)
	cell     = regexp.MustCompile(`<t[hd][^>]*>(.*?)</t[hd]>`)
	digits   = regexp.MustCompile(`^-?[0-9,]+(\.[0-9]+)?$`)
)

// requireRows compares the tables of a page with the answers.
func requireRows(t *testing.T, want answers.Export, page string) {
	t.Helper()
	found := map[string][][]string{}
	for _, section := range sections.FindAllStringSubmatch(page, -1) {
		rows := [][]string{}
		for _, body := range bodies.FindAllStringSubmatch(section[2], -1) {
			for _, row := range tableRow.FindAllStringSubmatch(body[1], -1) {
				var texts []string
				for _, c := range cell.FindAllStringSubmatch(row[1], -1) {
					text := html.UnescapeString(c[1])
					if digits.MatchString(text) {
						text = strings.ReplaceAll(text, ",", "")
					}
					texts = append(texts, text)
				}
				rows = append(rows, texts)
			}
		}
		found[section[1]] = rows
	}
	for name, rows := range want.Answers {
		texts := [][]string{}
		for _, row := range rows {
			var line []string
			for _, value := range row {
				if f, ok := value.(float64); ok {
					line = append(line, strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.6f", f), "0"), "."))
					continue
				}
				line = append(line, fmt.Sprint(value))
			}
			texts = append(texts, line)
		}
		require.Equal(t, texts, found[name], name)
	}
}
