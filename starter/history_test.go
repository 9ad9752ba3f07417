package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/startertest"
)

// recorded is a ledger entry of a date whose run took so many seconds after the date's end. The
// states are those of the tasks, in the order of the DAG; missing ones succeeded.
func recorded(date dates.Date, trigger run.Trigger, took int, states ...run.State) ledger.Entry {
	began := date.End()
	after := func(share int) time.Time { return began.Add(time.Duration(took*share/100) * time.Second) }
	entry := ledger.Entry{Attempt: 1, Status: run.Status{
		DAG: pipeline, Date: date, State: run.Success, Trigger: trigger, WorkflowID: run.DefaultDeployment.WorkflowID(pipeline, date),
		RunID: "run-" + string(date), Started: began, Ended: after(100),
	}}
	for i, id := range startertest.Pipeline.DAG.IDs() {
		state := run.Success
		if i < len(states) {
			state = states[i]
		}
		from, to := after(0), after(40)
		switch {
		case id == "query":
			from, to = after(80), after(100)
		case id != "load":
			from, to = after(40), after(80)
		}
		task := run.Task{ID: id, State: state, Tries: 1, Started: from, Ended: to}
		if state == run.UpstreamFailed {
			task = run.Task{ID: id, State: state}
		}
		if state == run.Failed {
			task.Tries, task.Error, entry.State = 2, "[DELTA_CONCURRENT_APPEND] another write came first", run.Failed
		}
		entry.Tasks = append(entry.Tasks, task)
	}
	return entry
}

// record puts an entry into the ledger.
func (w *world) record(t *testing.T, entries ...ledger.Entry) {
	t.Helper()
	for _, entry := range entries {
		body, err := json.Marshal(entry)
		require.NoError(t, err)
		w.write(t, "runs/"+entry.DAG+"/"+string(entry.Date)+".json", body)
	}
}

// visible lets visibility list runs, and those that are open answer the status query with what is
// given; nil has no answer.
func (w *world) visible(t *testing.T, runs ...visibleRun) {
	t.Helper()
	var all []*workflowpb.WorkflowExecutionInfo
	for _, r := range runs {
		fields := map[string]*commonpb.Payload{}
		for name, value := range map[string]any{
			"PinflowDag": pipeline, "PinflowDate": r.date.Start(), "PinflowTrigger": "manual", "PinflowState": "running", "PinflowPartial": false,
		} {
			payload, err := converter.GetDefaultDataConverter().ToPayload(value)
			require.NoError(t, err)
			fields[name] = payload
		}
		info := &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{WorkflowId: run.DefaultDeployment.WorkflowID(pipeline, r.date), RunId: r.runID}, Status: r.status,
			StartTime: timestamppb.New(r.started), SearchAttributes: &commonpb.SearchAttributes{IndexedFields: fields},
		}
		if !r.closed.IsZero() {
			info.CloseTime = timestamppb.New(r.closed)
		}
		all = append(all, info)
		if r.answer != nil {
			w.temporal.add(info.Execution.WorkflowId, &fakeExecution{runID: r.runID, status: r.status, closed: r.closed, answers: []any{*r.answer, *r.answer}, info: info})
		}
	}
	w.temporal.list = func(string) ([]*workflowpb.WorkflowExecutionInfo, error) { return all, nil }
}

type visibleRun struct {
	date    dates.Date
	runID   string
	status  enumspb.WorkflowExecutionStatus
	started time.Time
	closed  time.Time
	answer  *run.Status
}

// view runs a command on a screen of 80 columns and requires that nothing is wider, or colored
// without being asked.
func (w *world) view(t *testing.T, line string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv("COLUMNS", "80")
	code, stdout, stderr = w.starter(t, strings.Fields(line)...)
	for _, l := range strings.Split(stdout, "\n") {
		require.LessOrEqual(t, text.StringWidthWithoutEscSequences(l), 80, l)
		require.Equal(t, strings.TrimRight(l, " "), l, "no blanks at the end")
	}
	if !w.color {
		require.NotContains(t, stdout, "\x1b", "no colors without a terminal, or with NO_COLOR")
	}
	return code, stdout, stderr
}

// fortnight is a world with two weeks of runs up to 2022-10-18, of all kinds, and a run of the 18th
// that is underway.
func fortnight(t *testing.T) *world {
	w := newWorld()
	for date := dates.Date("2022-09-26"); date < "2022-10-18"; date = date.Add(1) {
		switch date {
		case "2022-10-06", "2022-10-07":
		case "2022-10-08":
			w.record(t, recorded(date, run.Backfill, 320))
		case "2022-10-11":
			w.record(t, recorded(date, run.Scheduled, 130, run.Success, run.Failed, run.Success, run.Success, run.UpstreamFailed))
		case "2022-10-13":
			entry := recorded(date, run.Manual, 45)
			for i := range entry.Tasks[:4] {
				entry.Tasks[i].Carried = true
			}
			w.record(t, entry)
		case "2022-10-15":
			entry := recorded(date, run.Manual, 60)
			entry.Partial = true
			w.record(t, entry)
		case "2022-10-16":
			w.record(t, recorded(date, run.Scheduled, 75, run.Success, run.Success, run.Skipped))
		default:
			w.record(t, recorded(date, run.Scheduled, 80+date.Start().Day()))
		}
	}
	status := underway
	status.Started = noon.Add(-40 * time.Second)
	w.visible(t, visibleRun{date: "2022-10-18", runID: "r1", status: running, started: status.Started, answer: &status})
	return w
}

func TestHistory(t *testing.T) {
	t.Run("shows_what_the_ledger_does_not_know_yet", func(t *testing.T) {
		w := newWorld()
		w.record(t, recorded("2022-10-14", run.Scheduled, 90), recorded("2022-10-15", run.Scheduled, 90), recorded("2022-10-16", run.Scheduled, 90))
		again := startertest.RunOf(run.Running)
		again.Date, again.RunID, again.Started = "2022-10-15", "again", at(-60)
		cut := startertest.RunOf(run.Running)
		cut.Date, cut.RunID, cut.Started = "2022-10-17", "cut", at(-600)
		w.visible(t,
			visibleRun{date: "2022-10-14", runID: "older", status: failed, started: dates.Date("2022-10-14").End().Add(-time.Hour), closed: at(-50)}, // before the ledger's
			visibleRun{date: "2022-10-15", runID: "again", status: running, started: again.Started, answer: &again},
			visibleRun{date: "2022-10-16", runID: "run-2022-10-16", status: running, started: dates.Date("2022-10-16").End()}, // visibility is behind
			visibleRun{date: "2022-10-17", runID: "cut", status: enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, started: cut.Started, closed: at(-500), answer: &cut},
		)
		code, stdout, stderr := w.line(t, "grid --from 2022-10-14 --to 2022-10-18 -o json")
		require.Zero(t, code, stderr)
		var printed struct{ Runs []history.Run }
		require.NoError(t, json.Unmarshal([]byte(stdout), &printed))
		require.Len(t, printed.Runs, 4)
		require.Equal(t, "run-2022-10-14", printed.Runs[0].RunID)
		require.Equal(t, []any{"again", run.Running}, []any{printed.Runs[1].RunID, printed.Runs[1].State})
		require.Equal(t, run.Success, printed.Runs[2].State, "the ledger has its end")
		require.Equal(t, run.Failed, printed.Runs[3].State)
		require.Equal(t, "the run was ended from outside: terminated", printed.Runs[3].Error)
	})

	t.Run("says_what_it_cannot_ask", func(t *testing.T) {
		t.Run("no worker", func(t *testing.T) {
			w := fortnight(t)
			w.temporal.queryErr = serviceerror.NewFailedPrecondition("no poller")
			for _, line := range []string{"grid", "calendar"} {
				code, stdout, stderr := w.view(t, line)
				require.Equal(t, exit.Unreachable, code)
				require.Contains(t, stdout, "►", "that it runs is known")
				require.Contains(t, stderr, "no worker polls task queue pinflow")
			}
		})
		t.Run("no Temporal", func(t *testing.T) {
			w := fortnight(t)
			w.down["temporal"] = &fault.Error{Kind: fault.Unreachable, What: "cannot reach Temporal", Next: "start it", Err: serviceerror.NewUnavailable("refused")}
			for _, line := range []string{"grid", "calendar", "gantt 2022-10-17", "graph 2022-10-17", "diff 2022-10-16 2022-10-17"} {
				code, stdout, stderr := w.view(t, line)
				require.Equal(t, exit.Unreachable, code, line)
				require.Contains(t, stdout, pipeline, "the ledger is shown")
				require.Contains(t, stderr, "cannot reach Temporal")
			}
		})
		t.Run("no worker, one date", func(t *testing.T) {
			w := fortnight(t)
			w.temporal.queryErr = serviceerror.NewFailedPrecondition("no poller")
			code, stdout, stderr := w.view(t, "graph 2022-10-18")
			require.Equal(t, exit.Unreachable, code)
			require.Contains(t, stdout, "pipeline of 2022-10-18: running")
			require.Contains(t, stderr, "no worker polls task queue pinflow")
		})
		t.Run("no bucket", func(t *testing.T) {
			w := fortnight(t)
			w.down["bucket"] = &fault.Error{Kind: fault.Unreachable, What: "cannot reach S3", Next: "start it", Err: serviceerror.NewUnavailable("refused")}
			code, stdout, stderr := w.view(t, "grid")
			require.Equal(t, exit.Unreachable, code)
			require.Empty(t, stdout, "without the ledger nothing is known of the past")
			require.Contains(t, stderr, "cannot reach S3")
		})
	})
}

func TestViews(t *testing.T) {
	t.Run("refuse_wrong_use", func(t *testing.T) {
		for line, reason := range map[string]string{
			"grid --from 2022-10-05 --to 2022-10-01": "--from 2022-10-05 comes after --to 2022-10-01",
			"grid --from 2022-10-05 --last 3":        "--from and --last cannot be combined",
			"grid --last 0":                          "--last 0",
			"grid --to 2022-10-20":                   "in the future",
			"calendar --year 2023":                   "--year 2023",
			"gantt":                                  "name a date as YYYY-MM-DD",
			"gantt 18.10.2022":                       "is not a date",
			"graph 2022-10-20":                       "in the future",
			"diff 2022-10-18":                        "accepts 2 arg",
			"diff 2022-10-18 2022-10-18":             "the same date",
		} {
			t.Run(line, func(t *testing.T) {
				w := newWorld()
				code, stdout, stderr := w.view(t, line)
				require.Equal(t, exit.Usage, code, stderr)
				require.Contains(t, stderr, reason)
				require.Empty(t, stdout)
				require.Empty(t, w.touched)
			})
		}
	})
}
