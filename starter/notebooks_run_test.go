package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/notebooks"
	"github.com/pinflow/pinflow/starter/exit"
)

// fakeTrials runs each notebook at once.
type fakeTrials struct {
	params  map[string]string
	source  workspace.Import
	deleted []string
	failed  bool
}

func (f *fakeTrials) Import(_ context.Context, r workspace.Import) error {
	f.source = r
	return nil
}

func (f *fakeTrials) MkdirsByPath(context.Context, string) error { return nil }

func (f *fakeTrials) Delete(_ context.Context, r workspace.Delete) error {
	f.deleted = append(f.deleted, r.Path)
	return nil
}

func (f *fakeTrials) Submit(_ context.Context, r jobs.SubmitRun) (*jobs.WaitGetRunJobTerminatedOrSkipped[jobs.SubmitRunResponse], error) {
	f.params = r.Tasks[0].NotebookTask.BaseParameters
	return &jobs.WaitGetRunJobTerminatedOrSkipped[jobs.SubmitRunResponse]{RunId: 12}, nil
}

func (f *fakeTrials) GetRun(context.Context, jobs.GetRunRequest) (*jobs.Run, error) {
	result := jobs.RunResultStateSuccess
	if f.failed {
		result = jobs.RunResultStateFailed
	}
	return &jobs.Run{
		RunPageUrl: "https://workspace/12", StartTime: 1000, EndTime: 4500, State: &jobs.RunState{LifeCycleState: jobs.RunLifeCycleStateTerminated, ResultState: result},
		Tasks: []jobs.RunTask{{RunId: 13, ExecutionDuration: 2500}},
	}, nil
}

func (f *fakeTrials) GetRunOutput(context.Context, jobs.GetRunOutputRequest) (*jobs.RunOutput, error) {
	return &jobs.RunOutput{Error: "[PARSE_SYNTAX_ERROR] near SELCT"}, nil
}

func (f *fakeTrials) CancelRun(context.Context, jobs.CancelRun) (*jobs.WaitGetRunJobTerminatedOrSkipped[struct{}], error) {
	return nil, errors.New("nothing to cancel")
}

// trying is a world with a notebook that can be tried.
func trying() *world {
	w := newWorld()
	w.notebooks = []notebooks.Notebook{{Name: "clean_pin", Source: notebookHeader +
		"USE SCHEMA IDENTIFIER(:schema);\nCREATE TABLE IF NOT EXISTS pin (ind BIGINT, logical_date DATE);\nCREATE TABLE IF NOT EXISTS pin_quarantine (reason STRING, logical_date DATE);\n"}}
	for statement, rows := range map[string][][]string{
		"CREATE SCHEMA `pinterest_try_": nil, "DROP SCHEMA `pinterest_try_": nil, "SELECT count(*) FROM": {{"867"}}, "SELECT reason, count(*)": {{"follower_count", "18"}, {"not a pin record", "1"}},
	} {
		w.sql.results[statement] = rows
	}
	return w
}

func TestNotebooksRun(t *testing.T) {
	t.Parallel()
	t.Run("shows_rows_quarantine_and_timing", func(t *testing.T) {
		t.Parallel()
		w := trying()
		code, stdout, stderr := w.line(t, "notebooks run clean_pin --date 2022-10-18 --dry --param invalid_followers=null")
		require.Zero(t, code, stderr)
		golden(t, "notebooks-run-dry", stdout)
		require.Equal(t, "null", w.trials.params["invalid_followers"])
		require.Equal(t, "2022-10-18", w.trials.params["logical_dates"])
		require.True(t, strings.HasPrefix(w.trials.params["schema"], "pinterest_try_"))
		require.Len(t, w.trials.deleted, 1)
		require.Empty(t, w.notes.sources, "the pushed notebooks are as they were")
		for _, statement := range w.sql.asked {
			require.True(t, strings.HasPrefix(statement, "S") || strings.Contains(statement, "`pinterest_try_"), statement)
		}
	})

	t.Run("takes_the_notebooks_of_a_directory", func(t *testing.T) {
		t.Parallel()
		w := trying()
		dir := notebookDir(t, map[string]string{"mine": notebookHeader + "USE SCHEMA IDENTIFIER(:schema);\nSELECT 1;\n"})
		code, stdout, stderr := w.starter(t, "notebooks", "run", "mine", "--date", "yesterday", "--dry", "--from", dir, "-o", "json")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, `"notebook": "mine"`)
		require.Equal(t, "2022-10-18", w.trials.params["logical_date"])
	})

	t.Run("asks_before_it_writes_the_tables", func(t *testing.T) {
		t.Parallel()
		w := trying()
		code, _, stderr := w.line(t, "notebooks run clean_pin --date 2022-10-18")
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, "add --dry, or --yes")
		require.Nil(t, w.trials.params)

		w.typed = "no\n"
		code, _, _ = w.line(t, "notebooks run clean_pin --date 2022-10-18")
		require.Equal(t, exit.Failed, code)
		require.Nil(t, w.trials.params)

		w.typed = "clean_pin\n"
		code, stdout, stderr := w.line(t, "notebooks run clean_pin --date 2022-10-18")
		require.Zero(t, code, stderr)
		require.Equal(t, "pinterest", w.trials.params["schema"])
		require.NotContains(t, stdout, "Dry")
	})

	t.Run("refuses_what_makes_no_trial", func(t *testing.T) {
		t.Parallel()
		for line, want := range map[string]string{
			"notebooks run nonsense --date 2022-10-18 --dry":                        "the notebooks are clean_pin",
			"notebooks run clean_pin --dry":                                         "--date",
			"notebooks run clean_pin --date 2022-10-18 --dry --param schema=other":  "--param schema",
			"notebooks run clean_pin --date 2022-10-18 --dry --param nonsense=1":    "--param nonsense",
			"notebooks run clean_pin --date 2099-10-18 --dry":                       "future",
			"notebooks run clean_pin --date 2022-10-18 --dry --from /nowhere":       "--from",
			"notebooks run clean_pin --date 2022-10-18 --dry --dag pipeline":        "--dag",
			"notebooks run clean_pin clean_geo --date 2022-10-18 --dry":             "accepts 1 arg",
			"notebooks run clean_pin --date 2022-10-18 --dry --param logical_date=": "--param logical_date",
		} {
			w := trying()
			code, _, stderr := w.line(t, line)
			require.Equal(t, exit.Usage, code, "%s: %s", line, stderr)
			require.Contains(t, stderr, want, line)
			require.Nil(t, w.trials.params)
		}
		w := trying()
		w.notebooks[0].Source += "DROP TABLE other.pin;\n"
		code, _, stderr := w.line(t, "notebooks run clean_pin --date 2022-10-18 --dry")
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, "could write outside the schema of the trial")
	})

	t.Run("says_why_a_notebook_failed", func(t *testing.T) {
		t.Parallel()
		w := trying()
		w.trials.failed = true
		code, _, stderr := w.line(t, "notebooks run clean_pin --date 2022-10-18 --dry")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "near SELCT")
	})
}
