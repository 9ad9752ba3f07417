package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
)

func TestOverdue_IsADateWhoseRunHasNotEndedByItsDeadline(t *testing.T) {
	const date = dates.Date("2022-10-18")
	sixth := time.Date(2022, 10, 19, 6, 0, 0, 0, time.UTC)
	entry := func(state State, partial bool) *activities.LedgerEntry {
		return &activities.LedgerEntry{Date: date, State: string(state), Partial: partial}
	}
	for name, row := range map[string]struct {
		due   time.Duration
		entry *activities.LedgerEntry
		going State
		now   time.Time
		want  string // empty: not overdue
	}{
		"never started":               {6 * time.Hour, nil, "", sixth, "none"},
		"a moment before it is due":   {6 * time.Hour, nil, "", sixth.Add(-1), ""},
		"days later":                  {6 * time.Hour, nil, "", sixth.AddDate(0, 0, 5), "none"},
		"no deadline":                 {0, nil, "", sixth, ""},
		"runs before it is due":       {6 * time.Hour, nil, Running, sixth.Add(-1), ""},
		"hangs":                       {6 * time.Hour, nil, Running, sixth, "running"},
		"waits for a decision":        {6 * time.Hour, nil, Held, sixth, "held"},
		"has run":                     {6 * time.Hour, entry(Success, false), "", sixth, ""},
		"has failed":                  {6 * time.Hour, entry(Failed, false), "", sixth, ""},
		"failed and is run again":     {6 * time.Hour, entry(Failed, false), Running, sixth, ""},
		"was seen in part":            {6 * time.Hour, entry(Success, true), "", sixth, "none partial"},
		"failed in part":              {6 * time.Hour, entry(Failed, true), "", sixth, "none partial"},
		"the rest of it is being run": {6 * time.Hour, entry(Success, true), Running, sixth, "running partial"},
	} {
		t.Run(name, func(t *testing.T) {
			going := map[dates.Date]State{}
			if row.going != "" {
				going[date] = row.going
			}
			var entries []activities.LedgerEntry
			if row.entry != nil {
				entries = append(entries, *row.entry)
			}
			got := Overdue(Named{Name: DailyName, Due: row.due}, []dates.Date{date}, entries, going, row.now)
			if row.want == "" {
				require.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			require.Equal(t, sixth, got[0].Due)
			state := string(got[0].State)
			if got[0].Partial {
				state += " partial"
			}
			require.Equal(t, row.want, state)
			require.NotEmpty(t, got[0].Says())
		})
	}
}

func TestOverdue_LooksAtTheExpectedDatesAlone(t *testing.T) {
	named := Named{Name: DailyName, Due: time.Hour}
	entries := []activities.LedgerEntry{{Date: "2022-10-16", State: "success"}}
	expected := []dates.Date{"2022-10-18", "2022-10-16", "2022-10-14"} // not the 15th and 17th: nothing fires for them
	got := Overdue(named, expected, entries, nil, time.Date(2022, 10, 19, 0, 30, 0, 0, time.UTC))
	require.Equal(t, []OverdueDate{{Date: "2022-10-14", Due: time.Date(2022, 10, 15, 1, 0, 0, 0, time.UTC), State: None}}, got, "the 18th is due half an hour later")
	require.Empty(t, Overdue(named, nil, nil, nil, time.Date(2022, 10, 19, 0, 0, 0, 0, time.UTC)))
}
