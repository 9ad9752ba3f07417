package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/view"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// year is the fortnight's world with all of the year before it run, and a held run.
func year(t *testing.T) *world {
	w := fortnight(t)
	for date := dates.Date("2022-01-01"); date < "2022-09-26"; date = date.Add(1) {
		entry := recorded(date, run.Scheduled, 60)
		if date.Start().YearDay()%61 == 0 {
			entry = recorded(date, run.Scheduled, 60, run.Failed)
		}
		w.record(t, entry)
	}
	held := underway
	held.State = run.Held
	w.visible(t, visibleRun{date: "2022-10-18", runID: "r1", status: running, started: underway.Started, answer: &held})
	return w
}

func TestCalendar(t *testing.T) {
	t.Run("shows_a_year_in80_columns", func(t *testing.T) {
		code, stdout, stderr := year(t).view(t, "calendar")
		require.Zero(t, code, stderr)
		golden(t, "calendar", stdout)

		w := year(t)
		w.color = true
		_, stdout, _ = w.view(t, "calendar --year 2022")
		golden(t, "calendar-color", stdout)
	})

	t.Run("uses_the_width_that_there_is", func(t *testing.T) {
		t.Setenv("COLUMNS", "120")
		_, stdout, _ := year(t).starter(t, "calendar")
		golden(t, "calendar-wide", stdout)
	})

	t.Run("has_a_place_for_each_date", func(t *testing.T) {
		for _, year := range []string{"2012", "2017", "2021", "2000"} { // 2012 and 2000 begin on a Sunday and a Saturday, and are leap years
			w := newWorld()
			w.visible(t)
			w.now = dates.Date(year).Start().AddDate(4000, 0, 0)
			_, stdout, _ := w.view(t, "calendar --year "+year)
			days := 365
			if year == "2012" || year == "2000" {
				days = 366
			}
			marks := 0
			for _, r := range stdout {
				if r == '·' {
					marks++
				}
			}
			require.Equal(t, days+1, marks, "and one of the legend, in %s:\n%s", year, stdout)
		}
	})

	t.Run("counts_for_programs", func(t *testing.T) {
		_, stdout, _ := year(t).view(t, "calendar -o json")
		var printed struct {
			Year   int
			Counts map[run.State]int
			Dates  []view.CalendarDay
		}
		require.NoError(t, json.Unmarshal([]byte(stdout), &printed))
		require.Equal(t, 2022, printed.Year)
		require.Equal(t, map[run.State]int{run.Success: 282, run.Failed: 5, mark.Partial: 1, run.Held: 1}, printed.Counts)
		require.Len(t, printed.Dates, 289)
	})
}
