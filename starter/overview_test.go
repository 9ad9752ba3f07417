package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/startertest"
)

// requested is the request of a date's task, which has the name of its pool.
func requested(pool string, date dates.Date, try int) run.Request {
	return run.Request{Pool: pool, Slots: map[string]int{"query": 2}[pool], DAG: pipeline, Date: date, Task: pool, Try: try}
}

// working is such a request at work.
func working(pool string, date dates.Date, try int) run.Work {
	return run.Work{Request: requested(pool, date, try)}
}

// open adds an open workflow that gives this answer to queries.
func (w *world) open(id string, answer any) *commonpb.WorkflowExecution {
	e := w.temporal.add(id, &fakeExecution{runID: "r1", status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, answers: []any{answer}})
	return &commonpb.WorkflowExecution{WorkflowId: id, RunId: e.runID}
}

// busy is a world in which a bit of everything happens: a Schedule of six days ago, gaps, two runs,
// a backfill, pools.
func busy(t *testing.T) *world {
	w := scheduled(t, 6)
	w.temporal.info.NumActionsMissedCatchupWindow = 1
	w.ledgered(t, "2022-10-13", run.Success)
	w.ledgered(t, "2022-10-15", run.Failed, func(e *ledger.Entry) {
		e.Error = "task clean_geo failed after 2 tries: " + strings.Repeat("nowhere ", 20) + "\nand more"
	})
	w.ledgered(t, "2022-10-16", run.Success, func(e *ledger.Entry) { e.Partial = true })
	running := map[dates.Date]run.Status{
		"2022-10-17": {DAG: pipeline, Date: "2022-10-17", State: run.Held, Started: dates.Date("2022-10-17").End(), Tasks: []run.Task{
			{ID: "load", State: run.Success}, {ID: "clean_geo", State: run.Held}}},
		"2022-10-18": {DAG: pipeline, Date: "2022-10-18", State: run.Running, Started: dates.Date("2022-10-18").End(), Tasks: []run.Task{
			{ID: "load", State: run.Success}, {ID: "clean_pin", State: run.Running}, {ID: "clean_geo", State: run.Queued, Waiting: "a slot of pool clean_geo"},
			{ID: "clean_user", State: run.UpForRetry}}},
	}
	var rows []*workflowpb.WorkflowExecutionInfo
	for date, status := range running {
		row := listed(t, date, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, status.State, false)
		rows = append(rows, row)
		w.temporal.add(run.DefaultDeployment.WorkflowID(pipeline, date), &fakeExecution{runID: row.GetExecution().GetRunId(), status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, answers: []any{status}})
	}
	backfill := &workflowpb.WorkflowExecutionInfo{
		Execution: w.open(run.DefaultDeployment.RangeWorkflowID(pipeline, "2022-10-01", "2022-10-10"), tenDays(3, 1, 2, "2022-10-07")),
		StartTime: timestamppb.New(noon.Add(-time.Hour)), Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}
	w.temporal.list = func(query string) ([]*workflowpb.WorkflowExecutionInfo, error) {
		if strings.Contains(query, "WorkflowType = 'Range'") {
			require.Contains(t, query, "PinflowTrigger != 'schedule'")
			return []*workflowpb.WorkflowExecutionInfo{backfill}, nil
		}
		return rows, nil
	}
	w.open(run.DefaultDeployment.PoolsID(), run.PoolsState{
		Work:      []run.Work{working("clean_geo", "2022-10-07", 1), working("query", "2022-10-05", 1), working("query", "2022-10-06", 3)},
		Waiting:   []run.Request{requested("clean_geo", "2022-10-18", 1), requested("clean_geo", "2022-10-08", 2), requested("clean_user", "2022-10-08", 1)},
		Announced: []run.Announcement{{DAG: pipeline, Date: "2022-10-18", Pools: map[string]string{"clean_user": "clean_user"}}},
	})
	return w
}

func TestOverview(t *testing.T) {
	t.Run("shows_the_state_of_the_dag", func(t *testing.T) {
		w := busy(t)
		t.Setenv("COLUMNS", "80")
		code, stdout, stderr := w.starter(t, "status")
		require.Zero(t, code, stderr)
		require.Empty(t, stderr)
		golden(t, "overview", stdout)
		w.temporal.pollers = nil
		_, alone, _ := w.starter(t, "status")
		stdout += alone
		for line := range strings.Lines(stdout) {
			require.LessOrEqual(t, text.StringWidthWithoutEscSequences(strings.TrimRight(line, "\n")), 80, line)
		}
	})

	t.Run("says_who_paused_a_backfill_and_how_to_resume_it", func(t *testing.T) {
		w := busy(t)
		paused := tenDays(3, 1, 2, "2022-10-07")
		paused.Paused = "ann@desk: the source is being repaired (2022-10-19 11:00:00 UTC)"
		w.open(run.DefaultDeployment.RangeWorkflowID(pipeline, "2022-10-01", "2022-10-10"), paused)
		t.Setenv("COLUMNS", "80")
		code, stdout, stderr := w.starter(t, "status")
		require.Zero(t, code, stderr)
		require.Regexp(t, `2022-10-01 +2022-10-10 +6/10 +1 +2 +paused, 1 date running\n`, stdout, "no estimate of what is left")
		require.Contains(t, stdout, "\n2022-10-01 to 2022-10-10: paused by ann@desk: the source is being repaired\n(2022-10-19 11:00:00 UTC); `starter backfill resume` continues it\n")
	})

	t.Run("names_a_deployment_that_is_not_the_default", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.settings.Deployment = "dev"
		_, stdout, stderr := w.starter(t, "status")
		require.Contains(t, stdout, "pipeline (deployment dev): no Schedule", stderr)
	})

	t.Run("is_also_for_programs", func(t *testing.T) {
		t.Parallel()
		w := busy(t)
		code, stdout, _ := w.starter(t, "status", "--days", "4", "-o", "json")
		require.Zero(t, code)
		var o history.Overview
		require.NoError(t, json.Unmarshal([]byte(stdout), &o))
		require.EqualValues(t, "2022-10-15", o.Since)
		var states []string
		for _, g := range o.Gaps {
			states = append(states, string(g.Date)+" "+string(g.State))
		}
		require.Equal(t, []string{"2022-10-15 failed", "2022-10-16 partial", "2022-10-17 overdue", "2022-10-18 overdue"}, states)
		require.Equal(t, []string{"clean_geo waits for a decision"}, o.Running[0].Now)
		require.Equal(t, 4, o.Backfills[0].Progress.Success+o.Backfills[0].Progress.Failed)
		require.Len(t, o.Pools, len(startertest.Catalog.Pools))
		require.EqualValues(t, 1, o.Schedule.Missed)
		require.EqualValues(t, "2022-10-19", o.Schedule.Next.Date)
	})

	t.Run("works_without_a_worker", func(t *testing.T) {
		t.Parallel()
		for name, change := range map[string]func(*world){
			"none polls":        func(w *world) { w.temporal.pollers = nil },
			"one has just died": func(w *world) { w.temporal.queryErr = serviceerror.NewDeadlineExceeded("no answer") },
		} {
			t.Run(name, func(t *testing.T) {
				w := busy(t)
				change(w)
				code, stdout, stderr := w.starter(t, "status")
				require.Zero(t, code, stderr)
				require.Contains(t, stdout, "2022-10-14  missed", "gaps need no worker")
				require.Regexp(t, `2022-10-17 +held`, stdout, "visibility knows that it is held")
				require.Regexp(t, `clean_geo +\?/1 +not known`, stdout)
				require.Regexp(t, `load +\?/1 +not known`, stdout)
				require.Contains(t, stdout, "pinflow.pipeline.backfill.2022-10-01.2022-10-10")
				require.Contains(t, stdout, "NOT KNOWN: the activity of runs, the progress of backfills, the work of pools\n  no worker")
			})
		}
	})

	t.Run("of_a_quiet_dag", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		code, stdout, _ := w.starter(t, "status")
		require.Zero(t, code)
		require.Equal(t, "pipeline: no Schedule; create it with `starter schedule apply`\n\nGAPS: none since 2022-09-19\n"+
			"  no date is expected before the first run; set PINFLOW_START_DATE to expect some\n\nRUNNING: none\n\n"+
			"POOLS: all idle: load (1), clean_pin (1), clean_geo (1), clean_user (1), query (1)\n", stdout)

		w = scheduled(t, 1)
		w.ledgered(t, "2022-10-18", run.Success)
		w.starter(t, "schedule", "pause", "--reason", "holiday")
		code, stdout, _ = w.starter(t, "status")
		require.Zero(t, code)
		require.Contains(t, stdout, "pipeline: paused (holiday)\n  resume it with `starter schedule resume`\n\nGAPS: none")
		w.temporal.executions[run.DefaultDeployment.PoolsID()] = &fakeExecution{status: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED}
		_, stdout, _ = w.starter(t, "status")
		require.Contains(t, stdout, "all idle: load (1)", "without the Pools workflow all pools are idle")
	})

	t.Run("says_since_when_dates_are_expected", func(t *testing.T) {
		t.Parallel()
		w := scheduled(t, 1)
		_, stdout, _ := w.starter(t, "status", "-o", "json")
		require.Contains(t, stdout, `"origin": "Schedule"`)
		_, stdout, _ = w.starter(t, "status", "--days", "5")
		require.Contains(t, stdout, "GAPS: 1 date since 2022-10-14\n  dates are expected since 2022-10-18 (the Schedule's creation); set PINFLOW_START_DATE for an earlier one\n2022-10-18")
		w.settings.StartDates = config.StartDates{"": "2022-10-16"}
		_, stdout, _ = w.starter(t, "status", "--days", "5")
		require.Contains(t, stdout, "GAPS: 3 dates since 2022-10-14\n  dates are expected since 2022-10-16 (the start date)\n"+
			"2022-10-16  missed     the Schedule was created later, at 2022-10-18 12:00:00 UTC\n")
		_, stdout, _ = w.starter(t, "status", "--days", "3")
		require.NotContains(t, stdout, "expected since", "all dates that are shown are expected")
	})

	t.Run("expects_dates_although_the_schedule_was_deleted", func(t *testing.T) {
		t.Parallel()
		w := scheduled(t, 6)
		w.ledgered(t, "2022-10-16", run.Success)
		code, _, stderr := w.starter(t, "schedule", "delete", "--yes")
		require.Zero(t, code, stderr)
		_, stdout, _ := w.starter(t, "status", "--days", "5")
		require.Contains(t, stdout, "no Schedule; create it with `starter schedule apply`")
		require.Contains(t, stdout, "2022-10-17  missed     there is no Schedule: it was deleted, or never created\n                       starter run 2022-10-17  # deadline 10-18 06:00\n2022-10-18  missed")
		code, stdout, _ = w.starter(t, "doctor")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "there is no Schedule pinflow.pipeline in namespace default: create it with `starter schedule apply`")
		require.Contains(t, stdout, "2022-10-17 missed, overdue (there is no Schedule: it was deleted, or never created)")
	})

	t.Run("shows_the_rest_without_the_bucket", func(t *testing.T) {
		t.Parallel()
		w := busy(t)
		w.down["bucket"] = &fault.Error{Kind: fault.Unreachable, What: "cannot reach S3", Next: "is the stack up?", Err: errors.New("refused")}
		code, stdout, _ := w.starter(t, "status")
		require.Equal(t, exit.Unreachable, code)
		require.NotContains(t, stdout, "GAPS")
		require.Contains(t, stdout, "NOT KNOWN: the Schedule and the gaps\n  cannot reach S3")
		require.Contains(t, stdout, "RUNNING: 2")
	})

	t.Run("lists_twenty_runs_and_counts_the_others", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.temporal.pollers = nil
		w.temporal.list = func(query string) (rows []*workflowpb.WorkflowExecutionInfo, _ error) {
			for day := range 25 {
				if strings.Contains(query, "'Run'") {
					rows = append(rows, listed(t, dates.Date("2022-10-18").Add(-day), enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, run.Running, false))
				}
			}
			return rows, nil
		}
		_, stdout, _ := w.starter(t, "status")
		require.Contains(t, stdout, "RUNNING: 25")
		require.Contains(t, stdout, "and 5 more: see `starter runs --state running`")
	})
}

func TestDoctorOverview(t *testing.T) {
	t.Parallel()
	t.Run("shows_dates_that_need_attention_without_a_worker", func(t *testing.T) {
		t.Parallel()
		w := ready(t)
		w.temporal.info.CreatedAt = noon.AddDate(0, 0, -6)
		w.temporal.pollers = nil
		for date, state := range map[dates.Date]run.State{"2022-10-13": run.Success, "2022-10-15": run.Failed, "2022-10-17": run.Success, "2022-10-18": run.Success} {
			w.ledgered(t, date, state, func(e *ledger.Entry) { e.Error, e.Partial = "nowhere\nat all", date == "2022-10-17" })
		}
		code, stdout, _ := w.starter(t, "doctor")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "FAIL  Temporal   dates              pipeline: 2022-10-14 skipped, overdue (the Schedule was paused or changed when it should have fired): `starter run 2022-10-14`; "+
			"2022-10-15 failed (nowhere…): `starter rerun 2022-10-15 --failed`; 2022-10-16 skipped, overdue")
		require.Contains(t, stdout, "; and 1 more, see `starter status --days 7`\n")

		w.settings.AlarmHook = "https://hooks.example.com/hush"
		_, stdout, _ = w.starter(t, "doctor")
		require.Contains(t, stdout, "ok    alarms     hook               the worker posts alarms to hooks.example.com\n")
		require.NotContains(t, stdout, "hush")
	})
}
