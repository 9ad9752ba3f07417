package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

func TestRerun(t *testing.T) {
	t.Run("keeps_the_results_of_the_other_tasks", func(t *testing.T) {
		until := someDay.Start().Add(20 * time.Hour)
		prior := ledger.Entry{Status: run.Status{Tasks: []run.Task{
			{ID: "load", State: "success", Tries: 1, Outcome: run.Outcome{Rows: 7, Until: until, Partial: true}}, {ID: "clean_pin", State: "success", Tries: 2}, {ID: "clean_geo", State: "failed", Tries: 2, Error: "old"},
			{ID: "clean_user", State: "success", Tries: 1}, {ID: "query", State: "upstream_failed"}, {ID: "gone", State: "success"},
		}}}
		again, err := daily().From("clean_geo")
		require.NoError(t, err)
		p := play(t, daily(), run.Input{RerunTasks: again}, priorRun(prior))
		require.NoError(t, p.err)
		require.Equal(t, 2*time.Minute, p.took.Round(time.Second), "clean_geo and query only")
		require.True(t, p.task("load").Carried)
		require.EqualValues(t, 7, p.task("load").Rows)
		require.False(t, p.task("clean_geo").Carried)
		require.Equal(t, run.Success, p.task("clean_geo").State)
		require.Empty(t, p.task("clean_geo").Error)
		require.Equal(t, 3, p.task("clean_geo").Tries, "the tries of the earlier run count")
		require.True(t, p.status.Partial, "the carried load saw only part of the date")
		require.Equal(t, until, p.status.Until.UTC())
	})
}

// priorRun makes an entry the ledger's of the date.
func priorRun(entry ledger.Entry) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(steps.ReadLedger, mock.Anything, ledger.Query{DAG: testDAG, From: someDay, To: someDay}).
			Return(activities.LedgerEntries{Entries: []ledger.Entry{entry}}, nil).Once()
	}
}
