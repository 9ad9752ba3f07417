package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/startertest"
)

const (
	running   = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	completed = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	failed    = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
)

func succeeded(from, to int) run.Task {
	return run.Task{State: run.Success, Tries: 1, Started: at(from), Ended: at(to), Outcome: run.Outcome{Link: "https://workspace/runs/7"}}
}

var (
	loaded   = startertest.Loaded()
	broken   = run.Task{State: run.Failed, Tries: 2, Started: at(12), Ended: at(73), Outcome: run.Outcome{Link: "https://workspace/runs/8"}, Error: "clean_geo try 2 ended as FAILED\n[TABLE_OR_VIEW_NOT_FOUND] nowhere"}
	upstream = run.Task{State: run.UpstreamFailed}
	good     = startertest.RunOf(run.Success, loaded, succeeded(12, 14), succeeded(12, 15), succeeded(12, 13), succeeded(15, 16))
	bad      = startertest.RunOf(run.Failed, loaded, succeeded(12, 14), broken, succeeded(12, 13), upstream)
	underway = startertest.RunOf(run.Running, loaded, run.Task{State: run.Running, Tries: 1, Started: at(-30)})
)

// starts lets the world start a run that answers queries so, and ends so.
func (w *world) starts(end error, answers ...any) {
	w.temporal.execute = func(client.StartWorkflowOptions, any) (*fakeExecution, error) {
		return &fakeExecution{runID: "r1", status: running, answers: answers, result: func(any) error { return end }}, nil
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	t.Run("starts_the_date_that_has_just_ended", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.starts(nil)
		code, stdout, stderr := w.starter(t, "run")
		require.Zero(t, code, stderr)
		require.Equal(t, []any{run.Input{DAG: pipeline, Date: "2022-10-18", Trigger: run.Manual, Params: map[string]string{}, TriggeredBy: "ann@desk"}}, w.temporal.started)
		require.Contains(t, w.temporal.executions, "pinflow.pipeline.2022-10-18")
		require.Contains(t, stdout, "starter status 2022-10-18 --watch")
		require.Contains(t, stdout, "http://ui:8233/namespaces/default/workflows/pinflow.pipeline.2022-10-18/r1")
	})

	t.Run("takes_date_and_parameters", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.starts(nil)
		code, stdout, _ := w.starter(t, "run", "2022-10-19", "--param", "invalid_followers=null", "--param", "schema=other", "-o", "json")
		require.Zero(t, code)
		in := w.temporal.started[0].(run.Input)
		require.EqualValues(t, "2022-10-19", in.Date, "today may be run: it is partial")
		require.Equal(t, map[string]string{"invalid_followers": "null", "schema": "other"}, in.Params)
		require.JSONEq(t, `{"date":"2022-10-19","workflowId":"pinflow.pipeline.2022-10-19","runId":"r1",
		"ui":"http://ui:8233/namespaces/default/workflows/pinflow.pipeline.2022-10-19/r1"}`, stdout)
	})

	t.Run("waits_and_tells_each_change", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.starts(nil, startertest.RunOf(run.Running), underway, underway, good)
		code, stdout, stderr := w.starter(t, "run", "2022-10-18", "--wait")
		require.Zero(t, code)
		golden(t, "run-success", stdout)
		golden(t, "run-success-progress", stderr)
	})

	t.Run("ends_with_one_if_the_run_failed", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.starts(errors.New("RunFailed"), underway, bad)
		code, stdout, _ := w.starter(t, "run", "2022-10-18", "--wait")
		require.Equal(t, exit.Failed, code)
		golden(t, "run-failed", stdout)

		w.starts(errors.New("RunFailed"), bad)
		code, stdout, _ = w.starter(t, "run", "2022-10-18", "--wait", "-o", "json")
		require.Equal(t, exit.Failed, code)
		var printed run.Status
		require.NoError(t, json.Unmarshal([]byte(stdout), &printed))
		require.Equal(t, bad, printed)
	})

	t.Run("is_not_taken_for_a_success_if_it_was_ended_from_outside", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.starts(errors.New("workflow execution terminated"), underway)
		code, stdout, _ := w.starter(t, "run", "2022-10-18", "--wait")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "workflow execution terminated")
	})

	t.Run("tells_once_that_no_worker_is_there", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.temporal.queryErr = serviceerror.NewFailedPrecondition("no poller seen for task queue recently, worker may be down")
		w.ledger(t, good)
		w.starts(nil, nil, nil, nil, good)
		code, stdout, stderr := w.starter(t, "run", "2022-10-18", "--wait")
		require.Zero(t, code, stderr)
		require.Equal(t, 1, strings.Count(stderr, "no worker polls task queue pinflow"), stderr)
		require.Contains(t, stdout, "success", "the ledger tells how it ended")
	})

	t.Run("is_there_once_for_a_date", func(t *testing.T) {
		t.Parallel()
		already := serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", "r1")
		refuse := func(w *world) {
			w.temporal.execute = func(client.StartWorkflowOptions, any) (*fakeExecution, error) { return nil, already }
			w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", answers: []any{underway, good}})
		}
		w := newWorld()
		refuse(w)
		code, _, stderr := w.starter(t, "run", "2022-10-18")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "already running")
		require.Contains(t, stderr, "starter status 2022-10-18 --watch")

		refuse(w)
		code, stdout, stderr := w.starter(t, "run", "2022-10-18", "--wait")
		require.Zero(t, code)
		require.Contains(t, stderr, "waiting for that")
		require.Contains(t, stdout, "success")

		refuse(w)
		code, _, stderr = w.starter(t, "run", "2022-10-18", "--wait", "--param", "invalid_followers=null")
		require.Equal(t, exit.Failed, code, "the open run may have other parameters")
		require.Contains(t, stderr, "already running")
	})

	t.Run("reprocesses_as_asked", func(t *testing.T) {
		t.Parallel()
		partial := good
		partial.Partial = true
		for name, row := range map[string]struct {
			before    *run.Status
			reprocess string
			runs      bool
		}{
			"first run":       {nil, "none", true},
			"done, none":      {&good, "none", false},
			"done, failed":    {&good, "failed", false},
			"done, all":       {&good, "all", true},
			"failed, none":    {&bad, "none", false},
			"failed, failed":  {&bad, "failed", true},
			"partial, none":   {&partial, "none", true},
			"done, not asked": {&good, "", true},
		} {
			t.Run(name, func(t *testing.T) {
				w := newWorld()
				w.starts(nil)
				if row.before != nil {
					w.ledger(t, *row.before)
				}
				line := []string{"run", "2022-10-18"}
				if row.reprocess != "" {
					line = append(line, "--reprocess", row.reprocess)
				}
				code, stdout, stderr := w.starter(t, line...)
				require.Zero(t, code, stderr)
				require.Equal(t, row.runs, len(w.temporal.started) == 1)
				if !row.runs {
					require.Contains(t, stdout, "--reprocess all")
				}
			})
		}
	})
}

// ledger writes a run into the world's ledger.
func (w *world) ledger(t *testing.T, status run.Status) {
	entry := ledger.Entry{Status: status, Attempt: 1}
	body, err := json.Marshal(entry)
	require.NoError(t, err)
	w.write(t, "runs/pipeline/"+string(status.Date)+".json", body)
}
