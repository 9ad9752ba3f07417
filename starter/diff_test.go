package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/view"
)

// compared is a world with two runs that differ in what a run can.
func compared(t *testing.T) *world {
	w := newWorld()
	before, after := recorded("2022-10-16", run.Scheduled, 100), repaired()
	before.Params = map[string]string{"invalid_followers": "quarantine"}
	after.Params = map[string]string{"invalid_followers": "null"}
	before.Tasks[0].Outcome = run.Outcome{Rows: 33462, Notebook: "/Shared/pinflow/load", NotebookHash: strings.Repeat("ab12", 16)}
	after.Tasks[0].Outcome = run.Outcome{Rows: 30100, Notebook: "/Shared/pinflow/load", NotebookHash: strings.Repeat("cd34", 16)}
	before.Tasks[1].Quarantined, after.Tasks[1].Quarantined = 120, 120
	before.Tasks[4].Tables = []run.TableRows{
		{Table: "most_popular_category_by_country", Rows: 233}, {Table: "median_followers_by_joining_year", Rows: 3},
		{Table: "median_followers_by_joining_year_and_age_group", Rows: 12},
	}
	w.record(t, before, after)
	return w
}

func TestDiff(t *testing.T) {
	t.Run("marks_what_differs", func(t *testing.T) {
		code, stdout, stderr := compared(t).view(t, "diff 2022-10-16 2022-10-18")
		require.Zero(t, code, stderr)
		golden(t, "diff", stdout)

		w := compared(t)
		w.color = true
		_, stdout, _ = w.view(t, "diff 2022-10-16 2022-10-18")
		golden(t, "diff-color", stdout)
	})

	t.Run("for_programs", func(t *testing.T) {
		_, stdout, _ := compared(t).view(t, "diff 2022-10-16 2022-10-18 -o json")
		var printed struct{ Lines []view.DiffLine }
		require.NoError(t, json.Unmarshal([]byte(stdout), &printed))
		require.Contains(t, printed.Lines, view.DiffLine{Task: "load", What: "rows", Before: "33462", After: "30100", Change: "-3362 (-10 %)", Differs: true})
		require.Contains(t, printed.Lines, view.DiffLine{Task: "clean_pin", What: "quarantined", Before: "120", After: "120"})
		require.Contains(t, printed.Lines, view.DiffLine{Task: "load", What: "notebook hash", Before: strings.Repeat("ab12", 3) + "…", After: strings.Repeat("cd34", 3) + "…", Differs: true})
	})

	t.Run("tells_long_names_apart", func(t *testing.T) {
		_, stdout, _ := compared(t).view(t, "diff 2022-10-16 2022-10-18")
		require.Contains(t, stdout, "_age_group  ")
	})

	t.Run("says_which_date_was_not_run", func(t *testing.T) {
		code, stdout, stderr := compared(t).view(t, "diff 2022-10-16 2022-10-17")
		require.Equal(t, exit.Failed, code)
		require.Empty(t, stdout)
		require.Contains(t, stderr, "2022-10-17 has not run yet")
	})
}
