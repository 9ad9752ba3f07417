package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
)

// scheduled is a world whose Schedule was created so many days ago.
func scheduled(t *testing.T, days int) *world {
	w := newWorld()
	code, _, stderr := w.starter(t, "schedule", "apply")
	require.Zero(t, code, stderr)
	w.temporal.info.CreatedAt = noon.AddDate(0, 0, -days)
	w.temporal.info.NextActionTimes = []time.Time{noon.Truncate(24*time.Hour).AddDate(0, 0, 1)}
	return w
}

// ledgered puts a run into the ledger.
func (w *world) ledgered(t *testing.T, date dates.Date, state run.State, change ...func(*ledger.Entry)) {
	entry := ledger.Entry{Status: run.Status{DAG: pipeline, Date: date, State: state, RunID: "r-" + string(date), Started: date.End(), Ended: date.End().Add(time.Minute)}}
	for _, c := range change {
		c(&entry)
	}
	body, err := json.Marshal(entry)
	require.NoError(t, err)
	w.write(t, "runs/pipeline/"+string(date)+".json", body)
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	t.Run("is_applied_once_and_says_what_it_changed", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		for _, command := range []string{"show", "pause", "resume", "next", "delete --yes"} {
			code, _, stderr := w.starter(t, append([]string{"schedule"}, strings.Fields(command)...)...)
			require.Equal(t, exit.Failed, code)
			require.Contains(t, stderr, "starter schedule apply", command)
		}
		const next = "  next: fires at 2022-10-20 00:00:00 UTC for 2022-10-19\n"
		_, stdout, _ := w.starter(t, "schedule", "apply")
		require.Equal(t, "Schedule pinflow.pipeline: created\n"+next, stdout)
		_, stdout, _ = w.starter(t, "schedule", "apply")
		require.Equal(t, "Schedule pinflow.pipeline: unchanged\n"+next, stdout)

		w.schedule().Spec.Calendars[0].Hour = []client.ScheduleRange{{Start: 3, End: 6, Step: 2}}
		w.schedule().Spec.TimeZoneName = "Europe/London"
		w.schedule().Action.(*client.ScheduleWorkflowAction).TaskQueue = "elsewhere"
		w.schedule().Policy.Overlap = enumspb.SCHEDULE_OVERLAP_POLICY_SKIP
		w.schedule().State.Paused = true
		_, stdout, _ = w.starter(t, "schedule", "show")
		require.Contains(t, stdout, "differs from the settings and this build")
		require.Contains(t, stdout, "time zone: Europe/London → UTC")
		_, stdout, _ = w.starter(t, "schedule", "apply")
		require.Equal(t, "Schedule pinflow.pipeline: changed\n"+
			"  fires: at 03-06/2:00:00 every day → at 00:00:00 every day\n"+
			"  time zone: Europe/London → UTC\n"+
			"  task queue: elsewhere → pinflow\n"+
			"  overlap: Skip → AllowAll\n"+
			"  paused: no reason given (it starts no runs until `starter schedule resume`)\n", stdout)
		require.True(t, w.schedule().State.Paused, "a paused Schedule stays paused")
		_, stdout, _ = w.starter(t, "schedule", "apply", "-o", "json")
		require.JSONEq(t, `{"id":"pinflow.pipeline","outcome":"unchanged","paused":true}`, stdout)
	})

	t.Run("fires_when_the_settings_and_the_command_say", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.settings.Schedules = map[string]string{pipeline: "30 2 * * *"}
		_, stdout, _ := w.starter(t, "schedule", "apply")
		require.Contains(t, stdout, "fires at 2022-10-20 02:30:00 UTC for 2022-10-19")
		_, stdout, _ = w.starter(t, "setup", "-o", "json")
		require.Contains(t, stdout, "pinflow.pipeline, 30 2 * * * (UTC)")
		require.Equal(t, control.Unchanged, outcomes(t, stdout)[5])

		_, stdout, _ = w.starter(t, "schedule", "apply", "--cron", "0 9 * * *", "--timezone", "Asia/Tokyo")
		require.Contains(t, stdout, "fires: at 02:30:00 every day → at 09:00:00 every day\n")
		require.Contains(t, stdout, "time zone: UTC → Asia/Tokyo")
		code, stdout, stderr := w.starter(t, "schedule", "apply", "--cron", "0 2 1,15,20 jan,mar,apr,dec *")
		require.Zero(t, code)
		require.Contains(t, stdout, "  fires:\n    - at 09:00:00 every day\n    + at 02:00:00 on days 01,15,20 in months 01,03-04,12\n")
		require.Contains(t, stderr, "it does not fire every day")
		require.Contains(t, stderr, "the settings still say 30 2 * * * (UTC)")
		code, stdout, _ = w.starter(t, "doctor")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "differs from the settings and this build")

		w.settings.Schedules[pipeline] = "0 0 1 * 1"
		for _, command := range [][]string{{"setup"}, {"schedule", "apply"}} {
			code, _, stderr := w.starter(t, command...)
			require.Equal(t, exit.Usage, code)
			require.Contains(t, stderr, "PINFLOW_SCHEDULE")
			require.Contains(t, stderr, "both the day of the month and the day of the week")
		}
	})

	t.Run("is_applied_paused", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		_, stdout, _ := w.starter(t, "schedule", "apply", "--paused", "--reason", "until the move")
		require.Equal(t, "Schedule pinflow.pipeline: created\n  paused: until the move (it starts no runs until `starter schedule resume`)\n", stdout)
		require.Equal(t, client.ScheduleState{Paused: true, Note: "until the move"}, *w.schedule().State)
		_, stdout, _ = w.starter(t, "schedule", "apply", "--paused")
		require.Contains(t, stdout, "unchanged", "the reason that it has is kept")
		_, stdout, _ = w.starter(t, "schedule", "apply", "--paused", "--reason", "longer than we thought")
		require.Contains(t, stdout, "  state: paused (until the move) → paused (longer than we thought)\n")

		w.starter(t, "schedule", "resume")
		_, stdout, _ = w.starter(t, "schedule", "apply", "--paused")
		require.Contains(t, stdout, "state: active → paused (paused with `starter schedule apply --paused`)")
		require.True(t, w.schedule().State.Paused)
	})

	t.Run("shows_its_dates_and_its_pauses", func(t *testing.T) {
		t.Parallel()
		w := scheduled(t, 0)
		w.temporal.info.NumActionsMissedCatchupWindow = 2
		w.temporal.info.NextActionTimes = nil
		for day := range 7 {
			w.temporal.info.NextActionTimes = append(w.temporal.info.NextActionTimes, noon.AddDate(0, 0, day).Truncate(24*3600e9).AddDate(0, 0, 1))
		}
		w.temporal.info.RecentActions = []client.ScheduleActionResult{{ScheduleTime: noon.Truncate(24 * 3600e9), ActualTime: noon.Truncate(24 * 3600e9),
			StartWorkflowResult: &client.ScheduleWorkflowExecution{WorkflowID: "pinflow.pipeline.scheduled-2022-10-19T00:00:00Z"}}}
		_, stdout, _ := w.starter(t, "schedule", "show")
		golden(t, "schedule-show", stdout)

		_, stdout, _ = w.starter(t, "schedule", "pause", "--reason", "holiday")
		require.Contains(t, stdout, "paused\n  fires: at 00:00:00 every day (UTC)\n  note: holiday")
		require.NotContains(t, stdout, "to come")
		_, stdout, _ = w.starter(t, "schedule", "resume", "-o", "json")
		var view history.ScheduleView
		require.NoError(t, json.Unmarshal([]byte(stdout), &view))
		require.False(t, view.Paused)
		require.Len(t, view.Next, 5)
		require.Equal(t, 2, view.Missed)
		_, stdout, _ = w.starter(t, "schedule", "pause")
		require.Contains(t, stdout, "note: paused with `starter schedule pause`", "there is always a reason")
	})
}

func TestScheduleNext(t *testing.T) {
	t.Parallel()
	t.Run("previews_firings_with_their_dates", func(t *testing.T) {
		t.Parallel()
		w := scheduled(t, 0)
		_, stdout, _ := w.starter(t, "schedule", "next", "-n", "3")
		require.Equal(t, "FIRING (UTC)          DATE\n2022-10-20 00:00:00   2022-10-19\n2022-10-21 00:00:00   2022-10-20\n2022-10-22 00:00:00   2022-10-21\n", stdout)
		var next struct {
			Paused bool
			Note   string
			Next   []struct{ Firing, Date string }
		}
		_, stdout, _ = w.starter(t, "schedule", "next", "-n", "1000", "-o", "json")
		require.NoError(t, json.Unmarshal([]byte(stdout), &next))
		require.Len(t, next.Next, 1000)
		require.Equal(t, "2025-07-14", next.Next[999].Date)
		_, stdout, _ = w.starter(t, "schedule", "next")
		require.Equal(t, 11, strings.Count(stdout, "\n"))

		w.starter(t, "schedule", "pause", "--reason", "holiday")
		_, stdout, _ = w.starter(t, "schedule", "next", "-n", "1")
		require.Contains(t, stdout, "is paused (holiday)")
		require.Contains(t, stdout, "2022-10-20 00:00:00   2022-10-19")
	})
}

func TestScheduleDelete(t *testing.T) {
	t.Parallel()
	t.Run("asks_first", func(t *testing.T) {
		t.Parallel()
		w := scheduled(t, 0)
		w.typed = "y\n"
		code, stdout, stderr := w.starter(t, "schedule", "delete")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "Type pinflow.pipeline to confirm")
		require.Contains(t, stderr, `nothing was changed: "y" is not pinflow.pipeline`)
		require.Empty(t, stdout)
		require.NotNil(t, w.schedule())

		w.typed = "pinflow.pipeline"
		code, stdout, _ = w.starter(t, "schedule", "delete")
		require.Zero(t, code)
		require.Contains(t, stdout, "deleted")
		require.Nil(t, w.schedule())

		w = scheduled(t, 0)
		code, stdout, stderr = w.starter(t, "schedule", "delete", "--yes", "-o", "json")
		require.Zero(t, code, stderr)
		require.JSONEq(t, `{"id":"pinflow.pipeline","outcome":"deleted","paused":false}`, stdout)
		require.Nil(t, w.schedule())
	})
}

func TestScheduleResume(t *testing.T) {
	t.Parallel()
	// A Schedule of ten days ago: its first firing was for 2022-10-09, its last for yesterday,
	// 2022-10-18.
	t.Run("makes_up_nothing_silently", func(t *testing.T) {
		t.Parallel()
		for name, row := range map[string]struct {
			ledger func(*testing.T, *world)
			args   string
			ran    string // from, to and parallel of the backfill; empty: none
			said   []string
		}{
			"nothing has run": {nil, "", "", []string{"Missing since the last success: 10 dates, 2022-10-09 to 2022-10-18", "starter backfill --from 2022-10-09 --to 2022-10-18 --reprocess failed"}},
			"catch all up":    {nil, "--catchup", "2022-10-09 2022-10-18 1", []string{"A backfill runs the missing dates: 10 dates, 2022-10-09 to 2022-10-18"}},
			"four at a time":  {nil, "--catchup --parallel 4", "2022-10-09 2022-10-18 4", nil},
			"after the last success": {func(t *testing.T, w *world) {
				w.ledgered(t, "2022-10-12", run.Success)
				w.ledgered(t, "2022-10-14", run.Success)
				w.ledgered(t, "2022-10-15", run.Failed)
				w.ledgered(t, "2022-10-16", run.Success, func(e *ledger.Entry) { e.Partial = true })
			}, "--catchup", "2022-10-15 2022-10-18 1", nil},
			"the latest two": {func(t *testing.T, w *world) { w.ledgered(t, "2022-10-12", run.Success) }, "--catchup --max 2", "2022-10-17 2022-10-18 1",
				[]string{"2 dates, 2022-10-17 to 2022-10-18", "Still missing: 4 dates, 2022-10-13 to 2022-10-16", "starter backfill --from 2022-10-13 --to 2022-10-16 --reprocess failed"}},
			"more than are missing":            {func(t *testing.T, w *world) { w.ledgered(t, "2022-10-17", run.Success) }, "--catchup --max 7", "2022-10-18 2022-10-18 1", []string{"1 date, 2022-10-18"}},
			"nothing is missing":               {func(t *testing.T, w *world) { w.ledgered(t, "2022-10-18", run.Success) }, "--catchup", "", []string{"No date is missing"}},
			"a success of before the Schedule": {func(t *testing.T, w *world) { w.ledgered(t, "2022-09-01", run.Success) }, "--catchup", "2022-10-09 2022-10-18 1", nil},
		} {
			t.Run(name, func(t *testing.T) {
				w := scheduled(t, 10)
				w.starter(t, "schedule", "pause", "--reason", "holiday")
				if row.ledger != nil {
					row.ledger(t, w)
				}
				w.temporal.execute = func(client.StartWorkflowOptions, any) (*fakeExecution, error) {
					return &fakeExecution{runID: "b1"}, nil
				}
				code, stdout, stderr := w.starter(t, append([]string{"schedule", "resume"}, strings.Fields(row.args)...)...)
				require.Zero(t, code, stderr)
				require.False(t, w.schedule().State.Paused)
				for _, want := range row.said {
					require.Contains(t, stdout, want)
				}
				if row.ran == "" {
					require.Empty(t, w.temporal.started)
					return
				}
				require.Len(t, w.temporal.started, 1, "one range")
				in := w.temporal.started[0].(run.RangeInput)
				require.Equal(t, row.ran, fmt.Sprintf("%s %s %d", in.From, in.To, in.Parallel))
				require.Equal(t, run.Backfill, in.Trigger)
				require.Equal(t, run.ReprocessFailed, in.Reprocess)
			})
		}
	})

	t.Run("leaves_the_schedule_if_it_cannot_catch_up", func(t *testing.T) {
		t.Parallel()
		w := scheduled(t, 10)
		w.starter(t, "schedule", "pause", "--reason", "holiday")
		w.temporal.execute = func(client.StartWorkflowOptions, any) (*fakeExecution, error) {
			return nil, serviceerror.NewResourceExhausted(0, "too many requests")
		}
		code, _, stderr := w.starter(t, "schedule", "resume", "--catchup")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "the Schedule was not resumed")
		require.True(t, w.schedule().State.Paused)

		w.temporal.execute = func(client.StartWorkflowOptions, any) (*fakeExecution, error) {
			return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", "r1")
		}
		code, stdout, stderr := w.starter(t, "schedule", "resume", "--catchup", "-o", "json")
		require.Zero(t, code)
		require.Contains(t, stderr, "already running")
		require.Contains(t, stdout, `"workflowId": "pinflow.pipeline.backfill.2022-10-09.2022-10-18"`)
		require.False(t, w.schedule().State.Paused)
	})
}
