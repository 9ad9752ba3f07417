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
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

func TestRange(t *testing.T) {
	t.Run("always_runs_as_many_dates_as_it_may", func(t *testing.T) {
		for _, n := range []int{1, 3, 7, 30, 100} {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				w := newWindow()
				w.takes = uneven
				r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: lastOfMonth, Parallel: n}, withLedger())
				require.NoError(t, r.err)
				require.Equal(t, run.RangeResult{From: firstOfMonth, To: lastOfMonth, Total: 30, Success: 30}, r.result)
				require.Len(t, w.starts, 30)
				require.Equal(t, min(n, 30), w.most)
				requireFull(t, w, n)
			})
		}
	})

	t.Run("runs_forwards_or_backwards", func(t *testing.T) {
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
	})

	t.Run("passes_its_input_to_its_runs", func(t *testing.T) {
		w := newWindow()
		params := map[string]string{"invalid_followers": "null"}
		playRange(t, w, run.RangeInput{
			From: someDay, To: someDay, Params: params, Hold: true, RerunTasks: dag.Tasks{"query"}, IgnorePast: true, RunTimeout: time.Hour, TriggeredBy: "ann", Tags: []string{"repair"},
		}, withLedger())
		require.Equal(t, []run.Input{{
			DAG: testDAG, Date: someDay, Trigger: run.Backfill, Params: params, Hold: true, RerunTasks: dag.Tasks{"query"}, IgnorePast: true, BackfillStart: someDay,
			RunTimeout: time.Hour, TriggeredBy: "ann", Tags: []string{"repair"},
		}}, w.inputs)
	})

	t.Run("reprocess_decides_which_dates_run_again", func(t *testing.T) {
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
	})

	t.Run("on_failure", func(t *testing.T) {
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
						return temporal.NewNonRetryableApplicationError("broken on "+string(d), failure.RunFailed, nil)
					}
					return nil
				}
				r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: lastOfMonth, OnFailure: onFailure}, withLedger())
				require.Len(t, w.starts, c.ran)
				require.ErrorContains(t, r.err, fmt.Sprintf("%d of 30 dates failed (2022-09-03", c.failed))
				require.ErrorContains(t, r.err, "broken on 2022-09-03")
				var app *temporal.ApplicationError
				require.ErrorAs(t, r.err, &app)
				require.Equal(t, failure.RangeFailed, app.Type())
				var result run.RangeResult
				require.NoError(t, app.Details(&result))
				require.Equal(t, c.failed, result.Failed)
				require.Len(t, result.FailedDates, c.failed)
				require.Equal(t, c.ran, result.Done())
				if c.ran < 30 {
					require.ErrorContains(t, r.err, fmt.Sprintf("%d dates did not run: %d dates failed, and --on-failure is %s", 30-c.ran, c.failed, onFailure))
				}
			})
		}
	})

	t.Run("stopping_on_failure_waits_for_its_runs", func(t *testing.T) {
		w := newWindow()
		w.takes = func(d dates.Date) time.Duration { return time.Duration(d.Start().Day()) * time.Hour }
		w.ends = func(d dates.Date) error {
			if d == firstOfMonth {
				return temporal.NewNonRetryableApplicationError("broken", failure.RunFailed, nil)
			}
			return nil
		}
		r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: lastOfMonth, Parallel: 5, OnFailure: run.StopOnFailure}, withLedger())
		require.Error(t, r.err)
		require.Len(t, w.starts, 5)
		require.Equal(t, 4, r.progress.Success)
		require.Equal(t, 1, r.progress.Failed)
	})

	// The ledger says so, too: an operator has ended the run.
	t.Run("a_terminated_run_is_cancelled_and_no_failure", func(t *testing.T) {
		w := newWindow()
		w.ends = func(d dates.Date) error {
			if d == firstOfMonth {
				return &temporal.TerminatedError{}
			}
			return nil
		}
		r := playRange(t, w, run.RangeInput{From: firstOfMonth, To: firstOfMonth.Add(2), OnFailure: run.StopOnFailure}, withLedger())
		require.ErrorContains(t, r.err, "1 of 3 dates were cancelled")
		require.Equal(t, []int{2, 0, 1}, []int{r.progress.Success, r.progress.Failed, r.progress.Cancelled})
		require.Empty(t, r.progress.FailedDates)
	})

	t.Run("attaches_to_a_running_run", func(t *testing.T) {
		for name, success := range map[string]bool{"success": true, "failure": false} {
			t.Run(name, func(t *testing.T) {
				r := playRange(t, rejecting(someDay), run.RangeInput{From: someDay, To: someDay, Reprocess: run.ReprocessAll}, ended(success, time.Hour),
					withLedger(ledger.Entry{Status: run.Status{Date: someDay, State: "whatever"}}))
				require.Equal(t, 1, r.progress.Attached)
				if success {
					require.NoError(t, r.err)
					require.Equal(t, 1, r.progress.Success)
				} else {
					require.ErrorContains(t, r.err, "the other run broke")
					require.Equal(t, 1, r.progress.Failed)
				}
			})
		}
	})

	t.Run("runs_a_date_again_if_the_other_run_was_partial", func(t *testing.T) {
		w := rejecting(someDay)
		r := playRange(t, w, run.RangeInput{From: someDay, To: someDay}, ended(true, time.Hour), func(env *testsuite.TestWorkflowEnvironment) {
			none := activities.LedgerEntries{}
			env.OnActivity(steps.ReadLedger, mock.Anything, mock.Anything).Return(none, nil).Once()
			until := someDay.Start().Add(23 * time.Hour)
			env.OnActivity(steps.ReadLedger, mock.Anything, mock.Anything).
				Return(activities.LedgerEntries{Entries: []ledger.Entry{{Status: run.Status{Date: someDay, State: "success", Partial: true, Until: until}}}}, nil).Once()
		})
		require.NoError(t, r.err)
		require.Equal(t, []dates.Date{someDay}, w.starts)
		require.Equal(t, 1, r.result.Success)
		require.Zero(t, r.result.Attached)
	})

	t.Run("skips_a_date_that_has_run_since_the_ledger_was_read", func(t *testing.T) {
		r := playRange(t, rejecting(someDay), run.RangeInput{From: someDay, To: someDay}, ended(false, -time.Hour), withLedger())
		require.NoError(t, r.err)
		require.Equal(t, 1, r.result.Skipped)
	})

	t.Run("started_by_a_schedule_runs_the_last_date_that_is_over", func(t *testing.T) {
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
	})

	t.Run("invalid_input_reports_all_mistakes_at_once", func(t *testing.T) {
		for name, c := range map[string]struct {
			in   run.RangeInput
			want []string
		}{
			"no dates":     {run.RangeInput{}, []string{"a range needs the dates from and to"}},
			"no to":        {run.RangeInput{From: someDay}, []string{`to: "" is not a date`}},
			"swapped":      {run.RangeInput{From: lastOfMonth, To: firstOfMonth}, []string{"from 2022-09-30 comes after to 2022-09-01: swap them"}},
			"future":       {run.RangeInput{From: someDay, To: "2022-10-21"}, []string{"to: 2022-10-21 is in the future"}},
			"unknown task": {run.RangeInput{From: someDay, To: someDay, RerunTasks: dag.Tasks{"cleen"}}, []string{`no task "cleen" in this DAG; its tasks are load, clean_pin`}},
			"parameters": {run.RangeInput{From: someDay, To: someDay, Params: map[string]string{"logical_date": "2022-10-17", "invalid_followers": "maybe"}},
				[]string{`parameter "logical_date" is unknown`, `parameter invalid_followers="maybe": want quarantine or null`}},
			"many mistakes": {run.RangeInput{From: "x", To: someDay, Parallel: -1, Reprocess: "some", OnFailure: "max=0"}, []string{`from: "x"`, "parallel -1", `reprocess "some": want none, failed or all`, `on-failure "max=0": want continue, stop or max=N`}},
		} {
			t.Run(name, func(t *testing.T) {
				env := newEnv(t, catalog(daily()))
				c.in.DAG = testDAG
				env.ExecuteWorkflow(run.RangeWorkflow, c.in)
				requireInvalidInput(t, env.GetWorkflowError(), c.want...)
			})
		}
	})

	t.Run("ten_thousand_dates_keep_the_state_small", func(t *testing.T) {
		// Every date has run, so that the range only reads the ledger.
		var chunks int
		r := playRange(t, newWindow(), run.RangeInput{From: "1995-06-01", To: dates.Date("1995-06-01").Add(9999)}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.ReadLedger, mock.Anything, mock.Anything).Return(func(_ context.Context, in ledger.Query) (activities.LedgerEntries, error) {
				chunks++
				var answer activities.LedgerEntries
				for d := in.From; d <= in.To; d = d.Add(1) {
					answer.Entries = append(answer.Entries, ledger.Entry{Status: run.Status{Date: d, State: "success"}})
				}
				return answer, nil
			})
		})
		require.NoError(t, r.err)
		require.Equal(t, 10_000, r.result.Skipped)
		require.Equal(t, 200, chunks)
	})
}

// requireFull fails unless n dates ran at all times before the last one started.
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

// past returns entries of four dates: success and failed, whole and partial.
func past() []ledger.Entry {
	noonOf := func(d dates.Date) time.Time { return d.Start().Add(12 * time.Hour) }
	return []ledger.Entry{
		{Status: run.Status{Date: "2022-09-01", State: "success"}},
		{Status: run.Status{Date: "2022-09-02", State: "failed"}},
		{Status: run.Status{Date: "2022-09-03", State: "success", Partial: true, Until: noonOf("2022-09-03")}},
		{Status: run.Status{Date: "2022-09-04", State: "failed", Partial: true, Until: noonOf("2022-09-04")}},
	}
}

// rejecting returns a window in which Temporal rejects the first start of a date: it has another
// run.
func rejecting(date dates.Date) *window {
	w := newWindow()
	w.taken[date] = 1
	return w
}

// ended makes the date's latest run one that ended that long after the start of the test.
func ended(success bool, after time.Duration) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(steps.AwaitRun, mock.Anything, activities.AwaitRunInput{WorkflowID: someDeployment.WorkflowID(testDAG, someDay)}).
			Return(activities.RunEnd{Found: true, Success: success, Status: "x", Error: "the other run broke", RunID: "other", Closed: noon.Add(after)}, nil).Once()
	}
}
