package schedule

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

func TestOverdue(t *testing.T) {
	t.Run("is_a_date_whose_run_has_not_ended_by_its_deadline", func(t *testing.T) {
		const date = dates.Date("2022-10-18")
		sixth := time.Date(2022, 10, 19, 6, 0, 0, 0, time.UTC)
		entry := func(state run.State, partial bool) *ledger.Entry {
			return &ledger.Entry{Status: run.Status{Date: date, State: state, Partial: partial}}
		}
		for name, row := range map[string]struct {
			due     time.Duration
			entry   *ledger.Entry
			running run.State
			now     time.Time
			want    string // empty: not overdue
		}{
			"never started":               {6 * time.Hour, nil, "", sixth, "none"},
			"a moment before it is due":   {6 * time.Hour, nil, "", sixth.Add(-1), ""},
			"days later":                  {6 * time.Hour, nil, "", sixth.AddDate(0, 0, 5), "none"},
			"no deadline":                 {0, nil, "", sixth, ""},
			"runs before it is due":       {6 * time.Hour, nil, run.Running, sixth.Add(-1), ""},
			"hangs":                       {6 * time.Hour, nil, run.Running, sixth, "running"},
			"waits for a decision":        {6 * time.Hour, nil, run.Held, sixth, "held"},
			"has run":                     {6 * time.Hour, entry(run.Success, false), "", sixth, ""},
			"has failed":                  {6 * time.Hour, entry(run.Failed, false), "", sixth, ""},
			"failed and is run again":     {6 * time.Hour, entry(run.Failed, false), run.Running, sixth, ""},
			"was seen in part":            {6 * time.Hour, entry(run.Success, true), "", sixth, "none partial"},
			"failed in part":              {6 * time.Hour, entry(run.Failed, true), "", sixth, "none partial"},
			"the rest of it is being run": {6 * time.Hour, entry(run.Success, true), run.Running, sixth, "running partial"},
		} {
			t.Run(name, func(t *testing.T) {
				running := map[dates.Date]run.State{}
				if row.running != "" {
					running[date] = row.running
				}
				var entries []ledger.Entry
				if row.entry != nil {
					entries = append(entries, *row.entry)
				}
				got := Overdue(dag.Definition{Name: dagName, Deadline: row.due}, []dates.Date{date}, entries, running, row.now)
				if row.want == "" {
					require.Empty(t, got)
					return
				}
				require.Len(t, got, 1)
				require.Equal(t, sixth, got[0].Deadline)
				state := string(got[0].State)
				if got[0].Partial {
					state += " partial"
				}
				require.Equal(t, row.want, state)
				require.NotEmpty(t, got[0].Reason())
			})
		}
	})

	t.Run("considers_only_expected_dates", func(t *testing.T) {
		named := dag.Definition{Name: dagName, Deadline: time.Hour}
		entries := []ledger.Entry{{Status: run.Status{Date: "2022-10-16", State: run.Success}}}
		expected := []dates.Date{"2022-10-18", "2022-10-16", "2022-10-14"} // not the 15th and 17th: nothing fires for them
		got := Overdue(named, expected, entries, nil, time.Date(2022, 10, 19, 0, 30, 0, 0, time.UTC))
		require.Equal(t, []OverdueDate{{Date: "2022-10-14", Deadline: time.Date(2022, 10, 15, 1, 0, 0, 0, time.UTC), State: run.None}}, got, "the 18th is due half an hour later")
		require.Empty(t, Overdue(named, nil, nil, nil, time.Date(2022, 10, 19, 0, 0, 0, 0, time.UTC)))
	})
}
