package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/startertest"
)

func TestGrid(t *testing.T) {
	t.Run("shows_dates_and_tasks", func(t *testing.T) {
		code, stdout, stderr := fortnight(t).view(t, "grid")
		require.Zero(t, code, stderr)
		golden(t, "grid", stdout)
	})

	t.Run("is_painted_on_a_terminal", func(t *testing.T) {
		w := fortnight(t)
		w.color = true
		_, stdout, _ := w.view(t, "grid --last 5")
		golden(t, "grid-color", stdout)
	})

	t.Run("shows_as_many_dates_as_fit_and_says_how_many_do_not", func(t *testing.T) {
		w := fortnight(t)
		code, stdout, _ := w.view(t, "grid --from 2022-09-25 --to 2022-10-18")
		require.Zero(t, code)
		golden(t, "grid-narrow", stdout)
		require.Contains(t, stdout, "not shown: 1 earlier date   see --to 2022-09-25")

		t.Setenv("COLUMNS", "30")
		_, stdout, _ = w.starter(t, "grid", "--from", "2022-09-25", "--to", "2022-10-18")
		require.Contains(t, stdout, "not shown: 18 earlier dates\nsee --to 2022-10-12")
	})

	t.Run("ends_with_today_only_if_today_has_been_run", func(t *testing.T) {
		span := func(w *world) (dates.Date, dates.Date) {
			_, stdout, _ := w.view(t, "grid --last 3 -o json")
			var printed struct{ From, To dates.Date }
			require.NoError(t, json.Unmarshal([]byte(stdout), &printed))
			return printed.From, printed.To
		}
		w := fortnight(t)
		from, to := span(w)
		require.Equal(t, []dates.Date{"2022-10-16", "2022-10-18"}, []dates.Date{from, to})
		w.record(t, recorded("2022-10-19", run.Manual, 10))
		from, to = span(w)
		require.Equal(t, []dates.Date{"2022-10-17", "2022-10-19"}, []dates.Date{from, to})
	})

	// The ledger still has the run before it.
	t.Run("shows_a_held_run_and_not_what_the_ledger_has_of_its_date", func(t *testing.T) {
		w := newWorld()
		w.record(t, recorded("2022-10-17", run.Scheduled, 90), recorded("2022-10-18", run.Scheduled, 90))
		held := startertest.RunOf(run.Held, loaded, broken)
		held.Date, held.RunID, held.Started = "2022-10-18", "again", at(-60)
		w.visible(t, visibleRun{date: "2022-10-18", runID: "again", status: running, started: held.Started, answer: &held})
		_, stdout, stderr := w.view(t, "grid --last 2")
		require.Empty(t, stderr)
		require.Regexp(t, `(?m)^run +✓ +\?$`, stdout)
		require.Regexp(t, `(?m)^load +✓ +✓$`, stdout)
	})

	t.Run("says_that_nothing_has_been_run", func(t *testing.T) {
		w := newWorld()
		w.visible(t)
		code, stdout, _ := w.view(t, "grid")
		require.Zero(t, code)
		require.Contains(t, stdout, "None of these dates has run")
		_, stdout, _ = w.view(t, "grid -o json")
		require.JSONEq(t, `{"dag":"pipeline","from":"2022-10-05","to":"2022-10-18","runs":[]}`, stdout)
	})
}
