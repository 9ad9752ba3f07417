package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

const (
	running   = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	completed = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	failed    = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
)

// at is a moment of the day on which the runs of these tests take place.
func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// runOf is a run of 2022-10-18 whose tasks stand as given, in the order of the DAG; missing ones are none.
func runOf(state run.State, tasks ...run.Task) run.Status {
	status := run.Status{
		DAG: dailyName, Date: "2022-10-18", State: state, Trigger: run.Manual, WorkflowID: "pinterest-daily-2022-10-18", RunID: "r1",
		Started: at(0), Until: at(-12 * 3600),
	}
	if state.Final() {
		status.Ended = at(75)
	}
	for i, id := range workflows.Daily.DAG.IDs() {
		task := run.Task{ID: id, State: run.None}
		if i < len(tasks) {
			task = tasks[i]
			task.ID = id
		}
		status.Tasks = append(status.Tasks, task)
	}
	return status
}

func succeeded(from, to int) run.Task {
	return run.Task{State: run.Success, Tries: 1, Started: at(from), Ended: at(to), Outcome: run.Outcome{Link: "https://workspace/runs/7"}}
}

var (
	loaded   = run.Task{State: run.Success, Tries: 1, Started: at(0), Ended: at(12), Outcome: run.Outcome{Rows: 9006, Link: "https://workspace/runs/6"}}
	broken   = run.Task{State: run.Failed, Tries: 2, Started: at(12), Ended: at(73), Outcome: run.Outcome{Link: "https://workspace/runs/8"}, Error: "clean_geo try 2 ended as FAILED\n[TABLE_OR_VIEW_NOT_FOUND] nowhere"}
	upstream = run.Task{State: run.UpstreamFailed}
	good     = runOf(run.Success, loaded, succeeded(12, 14), succeeded(12, 15), succeeded(12, 13), succeeded(15, 16))
	bad      = runOf(run.Failed, loaded, succeeded(12, 14), broken, succeeded(12, 13), upstream)
	going    = runOf(run.Running, loaded, run.Task{State: run.Running, Tries: 1, Started: at(-30)})
)

// starts lets the world start a run that answers queries so, and ends so.
func (w *world) starts(end error, answers ...any) {
	w.temporal.execute = func(client.StartWorkflowOptions, any) (*fakeExecution, error) {
		return &fakeExecution{runID: "r1", status: running, answers: answers, result: func(any) error { return end }}, nil
	}
}

func TestRun_StartsTheDateThatHasJustEnded(t *testing.T) {
	w := newWorld()
	w.starts(nil)
	code, stdout, stderr := w.starter(t, "run")
	require.Zero(t, code, stderr)
	require.Equal(t, []any{run.Input{DAG: dailyName, Date: "2022-10-18", Trigger: run.Manual, Params: map[string]string{}, TriggeredBy: "ann@desk"}}, w.temporal.started)
	require.Contains(t, w.temporal.executions, "pinterest-daily-2022-10-18")
	require.Contains(t, stdout, "starter status 2022-10-18 --watch")
	require.Contains(t, stdout, "http://ui:8233/namespaces/default/workflows/pinterest-daily-2022-10-18/r1")
}

func TestRun_TakesDateAndParameters(t *testing.T) {
	w := newWorld()
	w.starts(nil)
	code, stdout, _ := w.starter(t, "run", "2022-10-19", "--param", "invalid_followers=null", "--param", "schema=other", "-o", "json")
	require.Zero(t, code)
	in := w.temporal.started[0].(run.Input)
	require.EqualValues(t, "2022-10-19", in.Date, "today may be run: it is partial")
	require.Equal(t, map[string]string{"invalid_followers": "null", "schema": "other"}, in.Params)
	require.JSONEq(t, `{"date":"2022-10-19","workflowId":"pinterest-daily-2022-10-19","runId":"r1",
		"link":"http://ui:8233/namespaces/default/workflows/pinterest-daily-2022-10-19/r1"}`, stdout)
}

func TestRun_WaitsAndTellsEachChange(t *testing.T) {
	w := newWorld()
	w.starts(nil, runOf(run.Running), going, going, good)
	code, stdout, stderr := w.starter(t, "run", "2022-10-18", "--wait")
	require.Zero(t, code)
	golden(t, "run-success", stdout)
	golden(t, "run-success-progress", stderr)
}

func TestRun_EndsWithOneIfTheRunFailed(t *testing.T) {
	w := newWorld()
	w.starts(errors.New("RunFailed"), going, bad)
	code, stdout, _ := w.starter(t, "run", "2022-10-18", "--wait")
	require.Equal(t, exitFailed, code)
	golden(t, "run-failed", stdout)

	w.starts(errors.New("RunFailed"), bad)
	code, stdout, _ = w.starter(t, "run", "2022-10-18", "--wait", "-o", "json")
	require.Equal(t, exitFailed, code)
	var printed run.Status
	require.NoError(t, json.Unmarshal([]byte(stdout), &printed))
	require.Equal(t, bad, printed)
}

func TestRun_IsNotTakenForASuccessIfItWasEndedFromOutside(t *testing.T) {
	w := newWorld()
	w.starts(errors.New("workflow execution terminated"), going)
	code, stdout, _ := w.starter(t, "run", "2022-10-18", "--wait")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stdout, "workflow execution terminated")
}

func TestRun_TellsOnceThatNoWorkerIsThere(t *testing.T) {
	w := newWorld()
	w.temporal.queryErr = serviceerror.NewFailedPrecondition("no poller seen for task queue recently, worker may be down")
	w.ledger(t, good)
	w.starts(nil, nil, nil, nil, good)
	code, stdout, stderr := w.starter(t, "run", "2022-10-18", "--wait")
	require.Zero(t, code, stderr)
	require.Equal(t, 1, strings.Count(stderr, "no worker answers on task queue pinflow"), stderr)
	require.Contains(t, stdout, "success", "the ledger tells how it ended")
}

func TestRun_IsThereOnceForADate(t *testing.T) {
	already := serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", "r1")
	refuse := func(w *world) {
		w.temporal.execute = func(client.StartWorkflowOptions, any) (*fakeExecution, error) { return nil, already }
		w.temporal.add("pinterest-daily-2022-10-18", &fakeExecution{runID: "r1", answers: []any{going, good}})
	}
	w := newWorld()
	refuse(w)
	code, _, stderr := w.starter(t, "run", "2022-10-18")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "going already")
	require.Contains(t, stderr, "starter status 2022-10-18 --watch")

	refuse(w)
	code, stdout, stderr := w.starter(t, "run", "2022-10-18", "--wait")
	require.Zero(t, code)
	require.Contains(t, stderr, "waiting for that one")
	require.Contains(t, stdout, "success")

	refuse(w)
	code, _, stderr = w.starter(t, "run", "2022-10-18", "--wait", "--param", "invalid_followers=null")
	require.Equal(t, exitFailed, code, "the one that is going may have other parameters")
	require.Contains(t, stderr, "going already")
}

// ledger writes a run into the world's ledger.
func (w *world) ledger(t *testing.T, status run.Status) {
	entry := ledger.Entry{Status: status, Attempt: 1}
	body, err := json.Marshal(entry)
	require.NoError(t, err)
	w.bucket.objects["runs/pinterest-daily/"+string(status.Date)+".json"] = body
}

func TestRun_ReprocessesAsAsked(t *testing.T) {
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
}

func TestLanding_CountsOffsetsOfAllPartitions(t *testing.T) {
	event := func(id int64, activity string, in landing.PartitionInput) *historypb.HistoryEvent {
		payloads, err := converter.GetDefaultDataConverter().ToPayloads(in)
		require.NoError(t, err)
		return &historypb.HistoryEvent{EventId: id, Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
			ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
				ActivityId: string(rune('0' + id)), ActivityType: &commonpb.ActivityType{Name: activity}, Input: payloads,
			}}}
	}
	heartbeat, err := converter.GetDefaultDataConverter().ToPayloads(int64(1300))
	require.NoError(t, err)
	w := newWorld()
	w.temporal.add("run", &fakeExecution{runID: "r1",
		history: []*historypb.HistoryEvent{
			event(5, "PlanLanding", landing.PartitionInput{}),
			event(6, "LandPartition", landing.PartitionInput{Range: landing.Range{Partition: 0, Start: 100, End: 600}}),
			event(7, "LandPartition", landing.PartitionInput{Range: landing.Range{Partition: 1, Start: 1000, End: 2000}}),
			event(8, "LandPartition", landing.PartitionInput{Range: landing.Range{Partition: 2, Start: 0, End: 50}}),
			{EventId: 9, Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
				ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: 6}}},
		},
		pending: []*workflowpb.PendingActivityInfo{{ActivityId: "7", HeartbeatDetails: heartbeat}, {ActivityId: "8"}},
	})
	far, err := landingOf(t.Context(), newWorldConnection(w), "run", "r1")
	require.NoError(t, err)
	require.Equal(t, landed{done: 500 + 300, total: 500 + 1000 + 50}, far)
}
