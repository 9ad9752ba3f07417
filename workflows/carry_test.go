package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/activities"
)

func TestRun_ARerunKeepsTheOtherTasksResults(t *testing.T) {
	until := someDay.Start().Add(20 * time.Hour)
	prior := activities.LedgerEntry{Tasks: []activities.TaskRecord{
		{ID: "load", State: "success", Tries: 1, Outcome: Outcome{Rows: 7, Until: until, Partial: true}}, {ID: "clean_pin", State: "success", Tries: 2}, {ID: "clean_geo", State: "failed", Tries: 2, Error: "old"},
		{ID: "clean_user", State: "success", Tries: 1}, {ID: "query", State: "upstream_failed"}, {ID: "gone", State: "success"},
	}}
	again, err := daily().From("clean_geo")
	require.NoError(t, err)
	p := play(t, daily(), RunInput{Again: again}, priorRun(prior))
	require.NoError(t, p.err)
	require.Equal(t, 2*time.Minute, p.took.Round(time.Second), "clean_geo and query only")
	require.True(t, p.task("load").Carried)
	require.EqualValues(t, 7, p.task("load").Rows)
	require.False(t, p.task("clean_geo").Carried)
	require.Equal(t, Success, p.task("clean_geo").State)
	require.Empty(t, p.task("clean_geo").Error)
	require.Equal(t, 3, p.task("clean_geo").Tries, "the record of the date counts all tries")
	require.True(t, p.status.Partial, "what was read is as partial as it was")
	require.Equal(t, until, p.status.Until.UTC())
}

// priorRun is what the ledger has of the date.
func priorRun(entry activities.LedgerEntry) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		env.OnActivity(readLedger, mock.Anything, activities.ReadLedgerInput{DAG: testDAG, From: someDay, To: someDay}).
			Return(activities.LedgerEntries{Entries: []activities.LedgerEntry{entry}}, nil).Once()
	}
}
