package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/startertest"
	"github.com/pinflow/pinflow/starter/view"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// try is a try that worked and waited at the given seconds: started, queued, granted, ended.
// Without a wait queued is negative.
func try(number int, state run.State, started, queued, granted, ended int) run.Try {
	record := run.Try{Number: number, State: state, Started: at(started), Ended: at(ended)}
	if queued >= 0 {
		record.Queued, record.Granted = at(queued), at(granted)
	}
	return record
}

// tried is a task with its tries.
func tried(id string, state run.State, tries ...run.Try) run.Task {
	record := run.Task{ID: id, State: state, Tries: len(tries), History: tries}
	if len(tries) > 0 {
		record.Started, record.Ended = tries[0].Started, tries[len(tries)-1].Ended
	}
	return record
}

// repaired is an entry with all that a gantt can show: a carried task, waits, two tries, and a task
// that did not run.
func repaired() ledger.Entry {
	before := at(-3600)
	carried := run.Task{ID: "clean_user", State: "success", Tries: 1, Started: before, Ended: before, Carried: true}
	load := tried("load", run.Success, try(1, run.Failed, -3700, -1, 0, -3650), try(2, run.Success, 0, 30, 50, 80))
	load.Started = load.History[1].Started // of this run
	entry := ledger.Entry{Status: run.Status{
		DAG: pipeline, Date: "2022-10-18", State: "failed", Trigger: "manual", RunID: "r1", WorkflowID: "pinflow.pipeline.2022-10-18",
		Started: at(0), Ended: at(400), Tasks: []run.Task{
			load,
			tried("clean_pin", run.Success, try(1, run.Success, 80, 80, 200, 300)),
			tried("clean_geo", run.Failed, try(1, run.Failed, 80, 80, 82, 180), try(2, run.Failed, 190, 190, 190, 399)),
			carried,
			{ID: "query", State: "upstream_failed"},
		},
	}}
	for i, task := range startertest.Pipeline.DAG { // as a run records it
		entry.Tasks[i].After, entry.Tasks[i].TriggerRule, entry.Tasks[i].Pool = task.After, string(task.TriggerRule.Name()), task.Pool
	}
	return entry
}

func TestGantt(t *testing.T) {
	t.Run("shows_each_try_and_what_it_waited_for", func(t *testing.T) {
		w := newWorld()
		w.record(t, repaired())
		code, stdout, stderr := w.view(t, "gantt 2022-10-18")
		require.Zero(t, code, stderr)
		golden(t, "gantt", stdout)

		w.color = true
		_, stdout, _ = w.view(t, "gantt 2022-10-18")
		golden(t, "gantt-color", stdout)
	})

	t.Run("shows_an_open_run", func(t *testing.T) {
		w := newWorld()
		status := startertest.RunOf(run.Running, loaded, // and partial, which makes the title long
			run.Task{State: run.Running, Tries: 2, Started: at(12), History: []run.Try{try(1, run.Failed, 12, 12, 20, 60)},
				Trying: &run.Try{Number: 2, Started: at(70), Queued: at(70), Granted: at(90)}},
			run.Task{State: run.Queued, Tries: 1, Started: at(12), Waiting: "a slot of pool clean_geo",
				Trying: &run.Try{Number: 1, Started: at(12), Queued: at(12)}},
			run.Task{State: run.UpForRetry, Tries: 1, Started: at(12), History: []run.Try{try(1, run.Failed, 12, -1, 0, 110)}},
		)
		status.Partial = true
		w.now = at(120)
		w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: running, answers: []any{status, status}})
		code, stdout, stderr := w.view(t, "gantt 2022-10-18")
		require.Zero(t, code, stderr)
		golden(t, "gantt-running", stdout)
	})

	t.Run("leaves_out_the_tries_of_earlier_runs", func(t *testing.T) {
		w := newWorld()
		w.record(t, repaired())
		_, stdout, _ := w.view(t, "gantt 2022-10-18 -o json")
		var printed struct{ Bars []view.GanttBar }
		require.NoError(t, json.Unmarshal([]byte(stdout), &printed))
		require.Equal(t, []any{"load", 2}, []any{printed.Bars[0].Task, printed.Bars[0].Try})
		require.Equal(t, []view.GanttSpan{{From: at(0), To: at(30)}, {From: at(30), To: at(50), Waiting: true}, {From: at(50), To: at(80)}}, printed.Bars[0].Spans)
		require.Equal(t, []any{"clean_user", mark.Carried}, []any{printed.Bars[4].Task, printed.Bars[4].State})
		require.Empty(t, printed.Bars[4].Spans)
	})
}
