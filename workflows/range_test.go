package workflows

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

func TestRange_IsAlwaysFullAndNeverRunsMoreThanN(t *testing.T) {
	for _, n := range []int{1, 3, 7, 30, 100} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w := newWindow()
			w.lasts = uneven
			r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: lastOfMonth, Parallel: n}, withLedger())
			require.NoError(t, r.err)
			require.Equal(t, run.RangeResult{From: firstOfMonth, To: lastOfMonth, Total: 30, Success: 30}, r.result)
			require.Len(t, w.starts, 30)
			require.Equal(t, min(n, 30), w.most)
			requireFull(t, w, n)
		})
	}
}

// requireFull fails if the window was not full for any time before the last run started.
func requireFull(t *testing.T, w *window, n int) {
	t.Helper()
	started := 0
	for i, s := range w.samples[:len(w.samples)-1] {
		if i == 0 || s.running > w.samples[i-1].running {
			started++
		}
		if started == 30 {
			return
		}
		if w.samples[i+1].at.After(s.at) {
			require.Equal(t, n, s.running, "after %d starts, until %s", started, w.samples[i+1].at)
		}
	}
}

func TestRange_RunsForwardsOrBackwards(t *testing.T) {
	for _, backwards := range []bool{false, true} {
		w := newWindow()
		r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: lastOfMonth, Backwards: backwards}, withLedger())
		require.NoError(t, r.err)
		var want []dates.Date
		for i := range 30 {
			want = append(want, firstOfMonth.Add(i))
		}
		if backwards {
			slices.Reverse(want)
		}
		require.Equal(t, want, w.starts)
	}
}

func TestRange_ItsRunsGetItsOrders(t *testing.T) {
	w := newWindow()
	params := map[string]string{"invalid_followers": "null"}
	playRange(t, w, run.RangeInput{
		From: SomeDay, To: SomeDay, Params: params, Hold: true, RerunTasks: dag.Tasks{"query"}, IgnorePast: true, RunTimeout: time.Hour, TriggeredBy: "ann", Tags: []string{"repair"},
	}, withLedger())
	require.Equal(t, []run.Input{{
		DAG: TestDAG, Date: SomeDay, Trigger: run.Backfill, Params: params, Hold: true, RerunTasks: dag.Tasks{"query"}, IgnorePast: true, BackfillStart: SomeDay,
		RunTimeout: time.Hour, TriggeredBy: "ann", Tags: []string{"repair"},
	}}, w.inputs)
}

// past is four dates with all kinds of history.
func past() []ledger.Entry {
	noonOf := func(d dates.Date) *time.Time { at := d.Start().Add(12 * time.Hour); return &at }
	return []ledger.Entry{
		{Date: "2022-09-01", State: "success"},
		{Date: "2022-09-02", State: "failed"},
		{Date: "2022-09-03", State: "success", Partial: true, Until: noonOf("2022-09-03")},
		{Date: "2022-09-04", State: "failed", Partial: true, Until: noonOf("2022-09-04")},
	}
}

func TestRange_ReprocessSaysWhichDatesRunAgain(t *testing.T) {
	for reprocess, want := range map[run.Reprocess][]dates.Date{
		"":                  {"2022-09-03", "2022-09-04", "2022-09-05"},
		run.ReprocessNone:   {"2022-09-03", "2022-09-04", "2022-09-05"},
		run.ReprocessFailed: {"2022-09-02", "2022-09-03", "2022-09-04", "2022-09-05"},
		run.ReprocessAll:    {"2022-09-01", "2022-09-02", "2022-09-03", "2022-09-04", "2022-09-05"},
	} {
		t.Run(string(reprocess), func(t *testing.T) {
			w := newWindow()
			r := playRange(t, w, run.RangeInput{From: "2022-09-01", To: "2022-09-05", Reprocess: reprocess}, withLedger(past()...))
			require.NoError(t, r.err)
			require.Equal(t, want, w.starts)
			require.Equal(t, 5-len(want), r.result.Skipped)
			require.Equal(t, len(want), r.result.Success)
		})
	}
}

func TestRange_OnFailure(t *testing.T) {
	for onFailure, c := range map[run.OnFailure]struct {
		ran, failed int
	}{
		"":                    {30, 10},
		run.ContinueOnFailure: {30, 10},
		run.StopOnFailure:     {3, 1},
		"max=4":               {12, 4},
	} {
		t.Run(string(onFailure), func(t *testing.T) {
			w := newWindow()
			w.ends = func(d dates.Date) error {
				if d.Start().Day()%3 == 0 {
					return temporal.NewNonRetryableApplicationError("broken on "+string(d), ErrorRunFailed, nil)
				}
				return nil
			}
			r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: lastOfMonth, OnFailure: onFailure}, withLedger())
			require.Len(t, w.starts, c.ran)
			require.ErrorContains(t, r.err, fmt.Sprintf("%d of 30 dates failed (2022-09-03", c.failed))
			require.ErrorContains(t, r.err, "broken on 2022-09-03")
			var app *temporal.ApplicationError
			require.ErrorAs(t, r.err, &app)
			require.Equal(t, ErrorRangeFailed, app.Type())
			var result run.RangeResult
			require.NoError(t, app.Details(&result))
			require.Equal(t, c.failed, result.Failed)
			require.Len(t, result.FailedDates, c.failed)
			require.Equal(t, c.ran, result.Done())
			if c.ran < 30 {
				require.ErrorContains(t, r.err, fmt.Sprintf("%d dates were not run: %d dates have failed, and on failure is %s", 30-c.ran, c.failed, onFailure))
			}
		})
	}
}

func TestRange_StoppingOnFailureLetsRunsFinish(t *testing.T) {
	w := newWindow()
	w.lasts = func(d dates.Date) time.Duration { return time.Duration(d.Start().Day()) * time.Hour }
	w.ends = func(d dates.Date) error {
		if d == firstOfMonth {
			return temporal.NewNonRetryableApplicationError("broken", ErrorRunFailed, nil)
		}
		return nil
	}
	r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: lastOfMonth, Parallel: 5, OnFailure: run.StopOnFailure}, withLedger())
	require.Error(t, r.err)
	require.Len(t, w.starts, 5)
	require.Equal(t, 4, r.progress.Success)
	require.Equal(t, 1, r.progress.Failed)
}

// refused is a window in which somebody else's run of a date is in the way.
func refused(date dates.Date) *window {
	w := newWindow()
	w.taken[date] = 1
	return w
}

// ended answers that the date's latest run has ended so long after the test began.
func ended(success bool, after time.Duration) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(awaitRun, mock.Anything, activities.AwaitRunInput{WorkflowID: run.WorkflowID(TestDAG, SomeDay)}).
			Return(activities.RunEnd{Found: true, Success: success, Status: "x", Error: "theirs broke", RunID: "other", Closed: noon.Add(after)}, nil).Once()
	}
}

func TestRange_WaitsForARunThatIsGoingAndNeverStartsASecond(t *testing.T) {
	for name, success := range map[string]bool{"success": true, "failure": false} {
		t.Run(name, func(t *testing.T) {
			r := playRange(t, refused(SomeDay), run.RangeInput{From: SomeDay, To: SomeDay, Reprocess: run.ReprocessAll}, ended(success, time.Hour),
				withLedger(ledger.Entry{Date: SomeDay, State: "whatever"}))
			require.Equal(t, 1, r.progress.Attached)
			if success {
				require.NoError(t, r.err)
				require.Equal(t, 1, r.progress.Success)
			} else {
				require.ErrorContains(t, r.err, "theirs broke")
				require.Equal(t, 1, r.progress.Failed)
			}
		})
	}
}

func TestRange_CompletesAPartialRunThatWasGoing(t *testing.T) {
	w := refused(SomeDay)
	r := playRange(t, w, run.RangeInput{From: SomeDay, To: SomeDay}, ended(true, time.Hour), func(env *testsuite.TestWorkflowEnvironment) {
		none := activities.LedgerEntries{}
		env.OnActivity(readLedger, mock.Anything, mock.Anything).Return(none, nil).Once()
		until := SomeDay.Start().Add(23 * time.Hour)
		env.OnActivity(readLedger, mock.Anything, mock.Anything).
			Return(activities.LedgerEntries{Entries: []ledger.Entry{{Date: SomeDay, State: "success", Partial: true, Until: &until}}}, nil).Once()
	})
	require.NoError(t, r.err)
	require.Equal(t, []dates.Date{SomeDay}, w.starts)
	require.Equal(t, 1, r.result.Success)
	require.Zero(t, r.result.Attached)
}

func TestRange_ARunThatTemporalRefusesToRepeatIsSkipped(t *testing.T) {
	r := playRange(t, refused(SomeDay), run.RangeInput{From: SomeDay, To: SomeDay}, ended(false, -time.Hour), withLedger())
	require.NoError(t, r.err)
	require.Equal(t, 1, r.result.Skipped)
}

func TestRange_StartedByAScheduleRunsTheDateThatHasEnded(t *testing.T) {
	for fired, want := range map[string]dates.Date{
		"2022-10-19T00:00:00Z": "2022-10-18",
		"2022-10-19T02:30:00Z": "2022-10-18",
		"2022-03-01T00:00:00Z": "2022-02-28",
		"2022-01-01T00:00:00Z": "2021-12-31",
	} {
		at, err := time.Parse(time.RFC3339, fired)
		require.NoError(t, err)
		w := newWindow()
		r := playRange(t, w, run.RangeInput{Trigger: run.Scheduled}, withLedger(), func(env *testsuite.TestWorkflowEnvironment) {
			require.NoError(t, env.SetTypedSearchAttributesOnStart(temporal.NewSearchAttributes(scheduledStart.ValueSet(at))))
		})
		require.NoError(t, r.err)
		require.Equal(t, []dates.Date{want}, w.starts)
		require.Equal(t, run.Scheduled, w.inputs[0].Trigger)
		require.Equal(t, want, r.result.To)
	}
}

func TestRange_WrongInputReportsAllMistakesAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		in   run.RangeInput
		want []string
	}{
		"no dates":      {run.RangeInput{}, []string{"a range needs the dates from and to"}},
		"no to":         {run.RangeInput{From: SomeDay}, []string{`to: "" is not a date`}},
		"swapped":       {run.RangeInput{From: lastOfMonth, To: firstOfMonth}, []string{"from 2022-09-30 comes after to 2022-09-01: swap them"}},
		"future":        {run.RangeInput{From: SomeDay, To: "2022-10-21"}, []string{"to: 2022-10-21 is in the future"}},
		"unknown task":  {run.RangeInput{From: SomeDay, To: SomeDay, RerunTasks: dag.Tasks{"cleen"}}, []string{`no task "cleen" in this DAG: its tasks are load, clean_pin`}},
		"many mistakes": {run.RangeInput{From: "x", To: SomeDay, Parallel: -1, Reprocess: "some", OnFailure: "max=0"}, []string{`from: "x"`, "parallel -1", `reprocess "some": it is none, failed or all`, `on-failure "max=0": it is continue, stop or max=N`}},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t, catalog(daily()))
			c.in.DAG = TestDAG
			env.ExecuteWorkflow(run.RangeWorkflow, c.in)
			for _, want := range c.want {
				require.ErrorContains(t, env.GetWorkflowError(), want)
			}
			var app *temporal.ApplicationError
			require.ErrorAs(t, env.GetWorkflowError(), &app)
			require.True(t, app.NonRetryable())
		})
	}
}

func TestRange_TenThousandDatesKeepTheStateSmall(t *testing.T) {
	// Every date has run: only the ledger is read, chunk by chunk.
	var chunks int
	r := playRange(t, newWindow(), run.RangeInput{From: "1995-06-01", To: dates.Date("1995-06-01").Add(9999)}, func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(readLedger, mock.Anything, mock.Anything).Return(func(_ context.Context, in ledger.Range) (activities.LedgerEntries, error) {
			chunks++
			var answer activities.LedgerEntries
			for d := in.From; d <= in.To; d = d.Add(1) {
				answer.Entries = append(answer.Entries, ledger.Entry{Date: d, State: "success"})
			}
			return answer, nil
		})
	})
	require.NoError(t, r.err)
	require.Equal(t, 10_000, r.result.Skipped)
	require.Equal(t, 200, chunks)
}

func TestRange_ProgressEstimatesWhatIsLeft(t *testing.T) {
	_, known := run.RangeProgress{}.Left()
	require.False(t, known)
	p := run.RangeProgress{RangeResult: run.RangeResult{Total: 30, Success: 10}, Parallel: 4, Ran: 10, Took: 20 * time.Minute}
	left, known := p.Left()
	require.True(t, known)
	require.Equal(t, 10*time.Minute, left)
}
