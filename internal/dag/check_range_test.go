package dag

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

const date = dates.Date("2022-10-18")

var now = time.Date(2022, 10, 20, 12, 0, 0, 0, time.UTC)

func TestCheckInput(t *testing.T) {
	t.Run("reports_all_mistakes_at_once", func(t *testing.T) {
		require.NoError(t, definition().CheckInput(run.Input{Date: date, RerunTasks: Tasks{"query"}, Params: map[string]string{"invalid_followers": "null"}}, now))
		err := definition().CheckInput(run.Input{Date: "2022-10-21", RerunTasks: Tasks{"kwery"}, Params: map[string]string{"logical_date": "2022-10-18"}}, now)
		for _, want := range []string{"date: 2022-10-21 is in the future", `no task "kwery" in this DAG; its tasks are load`, `parameter "logical_date" is unknown`} {
			require.ErrorContains(t, err, want)
		}
	})
}

func TestCompleteRange(t *testing.T) {
	t.Run("sets_defaults", func(t *testing.T) {
		in := run.RangeInput{DAG: "diamond", From: date, To: date}
		got, err := NewCatalog(definition()).CompleteRange(in, now)
		require.NoError(t, err)
		in.Parallel, in.Trigger, in.Reprocess, in.OnFailure = 1, run.Backfill, run.ReprocessNone, run.ContinueOnFailure
		require.Equal(t, in, got)
	})

	t.Run("reports_all_mistakes_at_once", func(t *testing.T) {
		dependent := diamond()
		dependent[4].DependsOnPast = true
		c := NewCatalog(definition(), Definition{Name: "dependent", DAG: dependent})
		for name, row := range map[string]struct {
			in   run.RangeInput
			want []string
		}{
			"no dates":     {run.RangeInput{DAG: "diamond"}, []string{"a range needs the dates from and to; only a Schedule may leave them out"}},
			"no to":        {run.RangeInput{DAG: "diamond", From: date}, []string{`to: "" is not a date`}},
			"swapped":      {run.RangeInput{DAG: "diamond", From: date, To: date.Add(-1)}, []string{"from 2022-10-18 comes after to 2022-10-17: swap them"}},
			"future":       {run.RangeInput{DAG: "diamond", From: date, To: "2022-10-21"}, []string{"to: 2022-10-21 is in the future"}},
			"unknown DAG":  {run.RangeInput{DAG: "daily", From: date, To: date}, []string{`no DAG "daily"; the DAGs are diamond, dependent`}},
			"unknown task": {run.RangeInput{DAG: "diamond", From: date, To: date, RerunTasks: Tasks{"cleen"}}, []string{`no task "cleen" in this DAG`}},
			"parameters": {run.RangeInput{DAG: "diamond", From: date, To: date, Params: map[string]string{"invalid_followers": "maybe", "x": ""}},
				[]string{`parameter invalid_followers="maybe": want quarantine or null`, `parameter "x" is unknown`}},
			"backwards": {run.RangeInput{DAG: "dependent", From: date, To: date, Backwards: true}, []string{"backwards: tasks of this DAG depend on the past"}},
			"many": {run.RangeInput{DAG: "diamond", From: "x", To: date, Parallel: -1, Reprocess: "some", OnFailure: "max=0"},
				[]string{`from: "x"`, "parallel -1", `reprocess "some": want none, failed or all`, `on-failure "max=0": want continue, stop or max=N`}},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := c.CompleteRange(row.in, now)
				for _, want := range row.want {
					require.ErrorContains(t, err, want)
				}
			})
		}
		_, err := c.CompleteRange(run.RangeInput{DAG: "dependent", From: date, To: date, Backwards: true, IgnorePast: true}, now)
		require.NoError(t, err)
	})
}
