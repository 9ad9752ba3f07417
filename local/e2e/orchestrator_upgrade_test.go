package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
)

// buildWithTable builds worker and starter with another table of the daily DAG into a directory
// beside the programs: edit gets the source of workflows/daily.go.
func buildWithTable(t *testing.T, dir string, edit func(source string) string) {
	t.Helper()
	buildEdited(t, dir, "daily.go", edit)
}

// buildEdited is buildWithTable for any file of package workflows.
func buildEdited(t *testing.T, dir, name string, edit func(source string) string) {
	t.Helper()
	file, err := filepath.Abs("../../workflows/" + name)
	require.NoError(t, err)
	source, err := os.ReadFile(file)
	require.NoError(t, err)
	edited := edit(string(source))
	require.NotEqual(t, string(source), edited)
	changed, overlay := filepath.Join(t.TempDir(), name), filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(changed, []byte(edited), 0o600))
	replaced, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, replaced, 0o600))
	args := buildArgs(commit, filepath.Join(bin, dir)+"/", "./starter", "./workers")
	require.NoError(t, buildProgram("../..", append([]string{"build", "-overlay", overlay}, args[1:]...)))
}

func withSixthTask(source string) string {
	const report = "\t\t{ID: \"report\", After: dag.Tasks{\"query\"}, Pool: \"query\", Do: operators.Notebook{Name: \"query\"}},\n"
	return strings.Replace(source, "\t},\n\tSchedule:", report+"\t},\n\tSchedule:", 1)
}

func withoutQuery(source string) string {
	var kept []string
	for line := range strings.Lines(source) {
		if !strings.Contains(line, `{ID: "query"`) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "") + "\nvar _ = notebooks.Answers\n"
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	// A run that is open while workers with another table start: it ends as it began, and nothing
	// about it or about other dates is disturbed meanwhile.
	t.Run("an_open_run_keeps_its_dag", func(t *testing.T) {
		onShared.enter(t)
		buildWithTable(t, "sixth", withSixthTask)
		buildWithTable(t, "fewer", withoutQuery)
		s := startTenant(t)
		open, later := string(ago(2)), string(ago(1))
		s.breakNotebook("query", "-- Databricks notebook source\nSELECT * FROM nowhere")
		s.must("run", open, "--hold")
		holds := func(tries int) {
			s.eventually("the run holds", func() bool {
				status := s.statusOf(open)
				return status.State == run.Held && status.Task("query").Tries == tries
			})
		}
		holds(2)
		upgrade := func(dir string) (starter func(args ...string) string) {
			require.True(t, s.worker.stop())
			s.worker = s.start(dir + "/workers")
			s.waitHealthy("PINFLOW_WORKER_ADDRESS", "http://")
			return func(args ...string) string {
				code, stdout, stderr := runProgram(t, s.data, s.env, dir+"/starter", args...)
				require.Zero(t, code, "%s %v\n%s\n%s", dir, args, stdout, stderr)
				return stdout
			}
		}
		askAll := func(starter func(args ...string) string) {
			for _, line := range []string{"status", "status " + open, "runs", "grid", "gantt " + open, "calendar", "graph", "logs " + open} {
				require.NotContains(t, starter(strings.Fields(line)...), "TMPRL", line)
			}
		}

		sixth := upgrade("sixth")
		askAll(sixth)
		sixth("task", "retry", open, "query", "--reason", "another build")
		holds(3)
		s.must("notebooks", "push")
		sixth("run", later, "--wait")
		require.Equal(t, "load clean_pin clean_geo clean_user query report", strings.Join(s.statusOf(later).TaskIDs(), " "), "a run that starts later has the new table")

		fewer := upgrade("fewer")
		askAll(fewer)
		fewer("task", "retry", open, "query", "--reason", "the notebook is back")
		s.must("status", open, "--watch")
		status := s.statusOf(open)
		require.Equal(t, run.Success, status.State)
		require.Equal(t, "load clean_pin clean_geo clean_user query", strings.Join(status.TaskIDs(), " "))
		require.Equal(t, 4, status.Task("query").Tries)
		require.Contains(t, fewer("rerun", open, "--from", "clean_pin", "--dry-run"), "− query", "a rerun has the table of today, and says so")
		require.Len(t, s.executions(s.temporal(), ago(2)), 1)
	})
}
