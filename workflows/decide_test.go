package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
)

func TestDecide_IsTheTableOfReprocessing(t *testing.T) {
	const (
		failedOnly = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
		always     = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
		skip       = enumspb.WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED
	)
	until := someDay.Start().Add(12 * time.Hour)
	success := &activities.LedgerEntry{State: "success"}
	failed := &activities.LedgerEntry{State: "failed"}
	partial := &activities.LedgerEntry{State: "success", Partial: true, Until: &until}
	for _, c := range []struct {
		entry     *activities.LedgerEntry
		reprocess Reprocess
		reuse     enumspb.WorkflowIdReusePolicy
		why       string
	}{
		{nil, ReprocessNone, failedOnly, "has not run yet"},
		{nil, ReprocessFailed, failedOnly, "has not run yet"},
		{nil, ReprocessAll, always, "has not run yet"},
		{success, ReprocessNone, skip, "has run"},
		{success, ReprocessFailed, skip, "has run"},
		{success, ReprocessAll, always, "success, and all are to run again"},
		{failed, ReprocessNone, skip, "has run, and failed: reprocess failed runs it again"},
		{failed, ReprocessFailed, failedOnly, "failed, and the failed are to run again"},
		{failed, ReprocessAll, always, "failed, and all are to run again"},
		{partial, ReprocessNone, always, "was seen only up to 2022-10-18 12:00:00 UTC"},
		{partial, ReprocessFailed, always, "was seen only up to 2022-10-18 12:00:00 UTC"},
		{partial, ReprocessAll, always, "was seen only up to 2022-10-18 12:00:00 UTC"},
	} {
		want := DateDecision{Date: someDay, State: standing(c.entry), Run: c.reuse != skip, Why: c.why, reuse: c.reuse}
		require.Equal(t, want, Decide(someDay, c.entry, c.reprocess))
	}
}

func TestDecide_SaysHowTheDateStands(t *testing.T) {
	for want, entry := range map[string]*activities.LedgerEntry{
		"none": nil, "success": {State: "success"}, "failed": {State: "failed"}, "partial": {State: "success", Partial: true},
	} {
		require.Equal(t, want, Decide(someDay, entry, ReprocessNone).State)
	}
}

func TestDecide_TemporalRefusesWhatHasRunSince(t *testing.T) {
	guarded := Decide(someDay, nil, ReprocessNone).Guard(RunOptions(RunInput{DAG: testDAG, Date: someDay}))
	require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, guarded.WorkflowIDReusePolicy)
	require.Equal(t, RunID(testDAG, someDay), guarded.ID)
}

func TestOnFailure_Limits(t *testing.T) {
	for text, want := range map[string]int{"": 0, "continue": 0, "stop": 1, "max=1": 1, "max=12": 12} {
		f, err := ParseOnFailure(text)
		require.NoError(t, err)
		require.Equal(t, want, f.limit(), text)
	}
	for _, wrong := range []string{"max", "max=", "max=-1", "max=0", "max=two", "halt"} {
		_, err := ParseOnFailure(wrong)
		require.ErrorContains(t, err, wrong)
	}
}

func TestLogicalDate_IsOneIntervalBeforeTheFiring(t *testing.T) {
	for fired, want := range map[string]dates.Date{
		"2022-10-19T00:00:00Z":      "2022-10-18",
		"2022-10-18T23:59:59Z":      "2022-10-17",
		"2022-10-19T01:00:00+02:00": "2022-10-17",
		"2024-03-01T00:00:00Z":      "2024-02-29",
	} {
		at, err := time.Parse(time.RFC3339, fired)
		require.NoError(t, err)
		require.Equal(t, want, LogicalDate(at), fired)
	}
}

func TestIDs_OneForEachDate(t *testing.T) {
	require.Equal(t, "pinterest-daily-2022-10-18", RunID(DailyName, someDay))
	run := RunOptions(RunInput{DAG: DailyName, Date: someDay, Trigger: Manual})
	require.Equal(t, "pinterest-daily-2022-10-18", run.ID)
	require.True(t, run.WorkflowExecutionErrorWhenAlreadyStarted)
	state, _ := run.TypedSearchAttributes.GetKeyword(AttributeState)
	require.Equal(t, "running", state)
	at, _ := run.TypedSearchAttributes.GetTime(AttributeDate)
	require.Equal(t, someDay.Start(), at)
	require.NotEqual(t, run.ID, RangeOptions(RangeInput{DAG: DailyName, From: someDay, To: someDay}).ID)
}

func TestPriority_BackfillStandsBehind(t *testing.T) {
	require.Greater(t, priority(Backfill).PriorityKey, priority(Scheduled).PriorityKey)
	require.Equal(t, priority(Scheduled), priority(Manual))
}

func TestSearchAttributes_AreTheSix(t *testing.T) {
	require.Equal(t, []SearchAttribute{
		{"PinflowDag", enumspb.INDEXED_VALUE_TYPE_KEYWORD}, {"PinflowDate", enumspb.INDEXED_VALUE_TYPE_DATETIME}, {"PinflowState", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
		{"PinflowTrigger", enumspb.INDEXED_VALUE_TYPE_KEYWORD}, {"PinflowPartial", enumspb.INDEXED_VALUE_TYPE_BOOL},
		{"PinflowTags", enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST},
	}, SearchAttributes())
}
