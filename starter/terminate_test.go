package main

import (
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/startertest"
)

const terminateLine = "terminate 2022-10-18 --reason replaced --yes"

// atWork is a run that cleans: clean_pin has a Databricks run.
var atWork = func() run.Status {
	try := run.Try{Number: 1, Started: at(12)}
	cleaning := run.Task{State: run.Running, Tries: 1, Started: at(12), Trying: &try, Outcome: run.Outcome{Link: jobLink(7), JobRunID: 7}}
	held := run.Task{State: run.Held, Tries: 2, Started: at(12), Error: "wrong", History: []run.Try{{Number: 1, State: run.Failed}, {Number: 2, State: run.Failed}}}
	status := startertest.RunOf(run.Held, startertest.Loaded(), cleaning, held)
	status.Paused, status.Params = "ann: repair", map[string]string{"schema": "other"}
	return status
}()

// terminable is a world with that run, whose Pools workflow answers with each of the states.
func terminable(states ...any) *world {
	w := newWorld()
	w.openRun(atWork)
	w.pools(states...)
	w.active(activeJob{7, run.DefaultDeployment, "2022-10-18", "clean_pin"})
	return w
}

func (w *world) pools(states ...any) *fakeExecution {
	if len(states) == 0 {
		states = []any{run.PoolsState{Rebuilt: true}}
	}
	return w.temporal.add("pinflow.pools", &fakeExecution{runID: "p1", status: running, answers: states})
}

// entry returns the ledger entry of a date.
func (w *world) entry(t *testing.T, date dates.Date) ledger.Entry {
	t.Helper()
	l := ledger.Ledger{Objects: w.bucket}
	entry, err := l.Entry(t.Context(), pipeline, date)
	require.NoError(t, err)
	require.NotNil(t, entry)
	return *entry
}

func TestTerminate(t *testing.T) {
	const why = "terminated by ann@desk: replaced"

	t.Run("ends_a_run_that_answers_with_all_that_it_has_started", func(t *testing.T) {
		id := run.DefaultDeployment.WorkflowID(pipeline, "2022-10-18")
		working := run.PoolsState{Rebuilt: true, Work: []run.Work{{Request: run.Request{WorkflowID: id, Task: "clean_pin"}, Link: jobLink(5), JobRunID: 5}}, Waiting: []run.Request{{WorkflowID: id, Task: "clean_geo"}}}
		w := terminable(working, working, run.PoolsState{Rebuilt: true, Work: []run.Work{{Request: run.Request{WorkflowID: "other"}}, {Request: run.Request{WorkflowID: id}, Counting: true}}})
		w.ledgered(t, "2022-10-18", run.Failed, func(e *ledger.Entry) { e.Attempt = 2 })
		api := w.active(
			activeJob{7, run.DefaultDeployment, "2022-10-18", "clean_pin"}, activeJob{8, run.DefaultDeployment, "2022-10-18", "extra"},
			activeJob{9, run.DefaultDeployment, "2022-10-17", "clean_pin"}, activeJob{10, "pinflow-dev", "2022-10-18", "clean_pin"},
		)
		api.endsAfter = 3
		code, stdout, stderr := w.line(t, terminateLine)
		require.Zero(t, code, stderr)
		golden(t, "terminate", stdout+stderr)
		require.Equal(t, terminated, w.temporal.executions[id].status)
		require.Equal(t, []run.PoolsMessage{{Withdraw: &run.Withdrawal{WorkflowID: id, RunID: "r1"}}}, w.temporal.messages)
		require.Equal(t, 3, w.temporal.executions["pinflow.pools"].asked, "until the work has ended")
		require.Equal(t, []int64{7, 8}, api.cancelled, "not those of other dates and deployments")

		entry := w.entry(t, "2022-10-18")
		require.Equal(t, []any{run.Cancelled, why, 3, at(40), "", "other"}, []any{entry.State, entry.Error, entry.Attempt, entry.Ended, entry.Paused, entry.Params["schema"]})
		require.Equal(t, startertest.Loaded().State, entry.Task("load").State)
		for _, task := range entry.Tasks[1:] {
			require.Equal(t, []any{run.Cancelled, why, at(40)}, []any{task.State, task.Error, task.Ended}, task.ID)
			require.Nil(t, task.Trying)
		}
		require.Equal(t, []run.Try{{Number: 1, State: run.Cancelled, Started: at(12), Ended: at(40), Link: jobLink(7), JobRunID: 7, Error: why}}, entry.Task("clean_pin").History)
		require.Len(t, entry.Task("clean_geo").History, 2)
		_, stdout, _ = w.line(t, "note 2022-10-18")
		require.Contains(t, stdout, "terminated: replaced")

		code, stdout, _ = w.line(t, "status 2022-10-18")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "pipeline of 2022-10-18: cancelled")
		require.Contains(t, stdout, why)
		require.NotContains(t, stdout, "ended from outside")
		_, stdout, _ = w.line(t, "status")
		require.Regexp(t, "2022-10-18 +cancelled +"+why, stdout)
	})

	t.Run("rebuilds_a_blocked_run_from_its_history", func(t *testing.T) {
		w := terminable()
		e := w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: running, attempt: 9, queryErr: serviceerror.NewQueryFailed("TMPRL1100")})
		e.started(t, run.Input{DAG: pipeline, Date: "2022-10-18", Trigger: run.Scheduled, Params: map[string]string{"schema": "other"}, TriggeredBy: "bob", Tags: []string{"x"}, Hold: true})
		done := run.WorkDone{Outcome: run.Outcome{Rows: 12, Counted: true, Until: at(0).Add(-12 * time.Hour), Link: jobLink(6), JobRunID: 6}}
		e.answered(t, e.requested(t, "load", 1, 6), done)
		e.requested(t, "clean_pin", 1, 7)
		code, stdout, stderr := w.line(t, terminateLine)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "The run did not answer")
		entry := w.entry(t, "2022-10-18")
		require.Equal(t, []any{run.Cancelled, why, run.Scheduled, "other", "bob", []string{"x"}, true, false},
			[]any{entry.State, entry.Error, entry.Trigger, entry.Params["schema"], entry.TriggeredBy, entry.Tags, entry.Hold, entry.Partial})
		require.Equal(t, []string{"load", "clean_pin", "clean_old"}, entry.TaskIDs(), "the table of the run, not that of this build")
		require.Equal(t, []any{run.Success, done.Outcome, 1}, []any{entry.Task("load").State, entry.Task("load").Outcome, entry.Task("load").Tries})
		require.Equal(t, []any{run.Cancelled, why, 1, jobLink(7)}, []any{entry.Task("clean_pin").State, entry.Task("clean_pin").Error, entry.Task("clean_pin").Tries, entry.Task("clean_pin").Link})
		require.Equal(t, int64(7), entry.Task("clean_pin").History[0].JobRunID)
		require.Equal(t, []any{run.Cancelled, 0}, []any{entry.Task("clean_old").State, entry.Task("clean_old").Tries})
	})

	t.Run("keeps_what_a_blocked_rerun_did_not_run_again", func(t *testing.T) {
		w := terminable()
		former := startertest.RunOf(run.Failed, startertest.Loaded(), run.Task{State: run.Failed, Tries: 2, History: []run.Try{{Number: 1}, {Number: 2}}})
		former.RunID, former.Params = "r0", map[string]string{"schema": "other"}
		w.ledger(t, former)
		e := w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: running, attempt: 9, queryErr: serviceerror.NewQueryFailed("TMPRL1100")})
		e.started(t, run.Input{DAG: pipeline, Date: "2022-10-18", Trigger: run.Manual, RerunTasks: []string{"clean_pin", "clean_old"}})
		e.requested(t, "clean_pin", 3, 7)
		code, _, stderr := w.line(t, terminateLine)
		require.Zero(t, code, stderr)
		entry := w.entry(t, "2022-10-18")
		require.Equal(t, []any{true, run.Success}, []any{entry.Task("load").Carried, entry.Task("load").State})
		require.Equal(t, []any{3, 3, "other", 2}, []any{entry.Task("clean_pin").Tries, len(entry.Task("clean_pin").History), entry.Params["schema"], entry.Attempt})
	})

	t.Run("needs_no_worker", func(t *testing.T) {
		w := terminable()
		w.temporal.queryErr = serviceerror.NewDeadlineExceeded("query timed out")
		w.temporal.executions["pinflow.pipeline.2022-10-18"].started(t, run.Input{DAG: pipeline, Date: "2022-10-18"})
		code, stdout, stderr := w.line(t, terminateLine)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "No worker answers: the Pools workflow (pinflow.pools) ends the work of the run and frees its slots as soon as a worker runs.")
		require.Len(t, w.temporal.messages, 1)
		require.Equal(t, []int64{7}, w.runs.(*fakeJobs).cancelled)
		require.Equal(t, run.Cancelled, w.entry(t, "2022-10-18").State)
	})

	t.Run("says_what_continues_and_does_it_when_repeated", func(t *testing.T) {
		unreachable := &url.Error{Op: "Get", URL: "https://workspace", Err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}}
		w := terminable()
		w.down["workspace"] = unreachable
		code, stdout, stderr := w.line(t, terminateLine)
		require.Equal(t, exit.Unreachable, code, stderr)
		require.Contains(t, stdout, "Databricks run 7 of clean_pin ("+jobLink(7)+") may continue: cannot reach")
		require.Equal(t, run.Cancelled, w.entry(t, "2022-10-18").State, "the rest is done")

		delete(w.down, "workspace")
		code, stdout, stderr = w.line(t, terminateLine)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "Cancelled: Databricks run 7 of clean_pin")
		require.NotContains(t, stdout, "Ledger:")
		require.Equal(t, 1, w.entry(t, "2022-10-18").Attempt)

		w.active()
		code, stdout, _ = w.line(t, terminateLine)
		require.Zero(t, code)
		require.Contains(t, stdout, "nothing was changed")
	})

	t.Run("does_not_wait_for_ever", func(t *testing.T) {
		id := run.DefaultDeployment.WorkflowID(pipeline, "2022-10-18")
		w := terminable(run.PoolsState{Work: []run.Work{{Request: run.Request{WorkflowID: id, Task: "clean_pin"}}}})
		w.runs.(*fakeJobs).endsAfter = 1_000_000
		code, stdout, _ := w.line(t, terminateLine)
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "The Pools workflow is still cancelling clean_pin: see `starter status`.")
		require.Contains(t, stdout, "Databricks run 7 of clean_pin ("+jobLink(7)+"): cancelled, but not ended yet.")
	})

	t.Run("continues_when_a_part_fails", func(t *testing.T) {
		w := terminable()
		w.temporal.sendErr = errors.New("no permission")
		w.bucket.exists = false
		code, stdout, stderr := w.line(t, terminateLine+" -o json")
		require.Equal(t, exit.Failed, code, stderr)
		var done struct {
			Terminated bool
			State      run.State
			JobRuns    []struct{ Ended bool }
			Left       []string
		}
		require.NoError(t, json.Unmarshal([]byte(stdout), &done), stdout)
		require.True(t, done.Terminated)
		require.Empty(t, done.State)
		require.True(t, done.JobRuns[0].Ended)
		require.Len(t, done.Left, 2)
		require.Contains(t, done.Left[0], "The Pools workflow was not told: no permission")
		require.Contains(t, done.Left[1], "The ledger has no entry of this run")
	})

	t.Run("does_the_rest_for_a_run_that_was_terminated_in_the_web_ui", func(t *testing.T) {
		w := terminable()
		w.temporal.executions["pinflow.pipeline.2022-10-18"].end("", "Terminated from the Web UI")
		code, stdout, _ := w.line(t, "status 2022-10-18")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "the run was ended from outside: terminated. Its Databricks runs may continue, and the ledger does not have it: `starter terminate 2022-10-18 --reason text` cancels them")
		code, stdout, stderr := w.line(t, terminateLine)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "The run of 2022-10-18 had ended before.")
		require.Contains(t, stdout, "Cancelled: Databricks run 7 of clean_pin")
		require.Contains(t, stdout, "Ledger: cancelled, terminated: Terminated from the Web UI")
		require.Equal(t, "terminated: Terminated from the Web UI", w.entry(t, "2022-10-18").Error)
	})

	t.Run("records_a_run_that_could_not_do_it", func(t *testing.T) {
		w := terminable()
		w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: failed, closed: at(75), answers: []any{bad}})
		code, stdout, stderr := w.line(t, terminateLine)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "Ledger: failed")
		require.Equal(t, bad.Tasks, w.entry(t, "2022-10-18").Tasks)
		require.Empty(t, w.temporal.messages)
		require.Empty(t, w.runs.(*fakeJobs).cancelled)
	})

	t.Run("changes_nothing_otherwise", func(t *testing.T) {
		for name, c := range map[string]struct {
			change func(*world)
			line   string
			code   int
			want   string
		}{
			"ended":            {func(w *world) { w.ran(t, good) }, terminateLine, exit.Failed, "the run of 2022-10-18 has ended (success), and the ledger has it: nothing was changed"},
			"forgotten":        {func(w *world) { w.ledger(t, good); clear(w.temporal.executions) }, terminateLine, exit.Failed, "has ended (success)"},
			"never run":        {func(w *world) { clear(w.temporal.executions) }, terminateLine, exit.Failed, "has not run yet"},
			"no reason":        {func(*world) {}, "terminate 2022-10-18 --yes", exit.Usage, "--reason is missing"},
			"no terminal":      {func(*world) {}, "terminate 2022-10-18 --reason x", exit.Usage, "needs --yes"},
			"not confirmed":    {func(w *world) { w.typed = "y\n" }, "terminate 2022-10-18 --reason x", exit.Failed, `nothing was changed: "y" is not 2022-10-18`},
			"no such date":     {func(*world) {}, "terminate tomorrow --reason x", exit.Usage, "tomorrow"},
			"ledger not there": {func(w *world) { w.ran(t, good); w.down["bucket"] = errors.New("no bucket") }, terminateLine, exit.Failed, "no bucket"},
		} {
			t.Run(name, func(t *testing.T) {
				w := terminable()
				c.change(w)
				code, _, stderr := w.line(t, c.line)
				require.Equal(t, c.code, code, stderr)
				require.Contains(t, stderr, c.want)
				require.Empty(t, w.temporal.messages)
				require.Empty(t, w.runs.(*fakeJobs).cancelled)
			})
		}
		w := terminable()
		w.typed = "2022-10-18\n"
		code, _, stderr := w.line(t, "terminate 2022-10-18 --reason x")
		require.Zero(t, code, stderr)
		require.Contains(t, stderr, "This terminates the run of 2022-10-18")
	})

	t.Run("is_the_way_out_in_every_view", func(t *testing.T) {
		w := fortnight(t)
		stopped := underway
		stopped.Date, stopped.Started = "2022-10-17", noon.Add(-time.Hour)
		w.visible(t, visibleRun{date: "2022-10-17", runID: "t1", status: terminated, started: noon.Add(-time.Hour), closed: noon.Add(-time.Minute), answer: &stopped})
		for _, line := range []string{"runs", "grid", "calendar"} {
			_, stdout, stderr := w.line(t, line)
			require.Contains(t, stdout, "Ended from outside, and not in the ledger: 2022-10-17.", "%s\n%s", line, stderr)
			require.Contains(t, stdout, "`starter terminate <date> --reason text`", line)
		}
		w.ledgered(t, "2022-10-17", run.Cancelled, func(e *ledger.Entry) { e.RunID = "t1" })
		for _, line := range []string{"runs", "grid", "calendar"} {
			_, stdout, _ := w.line(t, line)
			require.NotContains(t, stdout, "not in the ledger", line)
		}
	})
}
