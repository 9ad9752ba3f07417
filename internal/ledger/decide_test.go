package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

func TestDecide_IsTheTableOfReprocessing(t *testing.T) {
	const (
		failedOnly = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
		always     = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
		skip       = enumspb.WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED
	)
	until := workflows.SomeDay.Start().Add(12 * time.Hour)
	success := &Entry{State: "success"}
	failed := &Entry{State: "failed"}
	partial := &Entry{State: "success", Partial: true, Until: &until}
	for _, c := range []struct {
		entry     *Entry
		reprocess run.Reprocess
		reuse     enumspb.WorkflowIdReusePolicy
		why       string
	}{
		{nil, run.ReprocessNone, failedOnly, "has not run yet"},
		{nil, run.ReprocessFailed, failedOnly, "has not run yet"},
		{nil, run.ReprocessAll, always, "has not run yet"},
		{success, run.ReprocessNone, skip, "has run"},
		{success, run.ReprocessFailed, skip, "has run"},
		{success, run.ReprocessAll, always, "success, and all are to run again"},
		{failed, run.ReprocessNone, skip, "has run, and failed: reprocess failed runs it again"},
		{failed, run.ReprocessFailed, failedOnly, "failed, and the failed are to run again"},
		{failed, run.ReprocessAll, always, "failed, and all are to run again"},
		{partial, run.ReprocessNone, always, "was seen only up to 2022-10-18 12:00:00 UTC"},
		{partial, run.ReprocessFailed, always, "was seen only up to 2022-10-18 12:00:00 UTC"},
		{partial, run.ReprocessAll, always, "was seen only up to 2022-10-18 12:00:00 UTC"},
	} {
		want := Decision{Date: workflows.SomeDay, State: standing(c.entry), Run: c.reuse != skip, Why: c.why, Reuse: c.reuse}
		require.Equal(t, want, Decide(workflows.SomeDay, c.entry, c.reprocess))
	}
}

func TestDecide_SaysHowTheDateStands(t *testing.T) {
	for want, entry := range map[string]*Entry{
		"none": nil, "success": {State: "success"}, "failed": {State: "failed"}, "partial": {State: "success", Partial: true},
	} {
		require.Equal(t, want, Decide(workflows.SomeDay, entry, run.ReprocessNone).State)
	}
}

func TestDecide_TemporalRefusesWhatHasRunSince(t *testing.T) {
	guarded := Decide(workflows.SomeDay, nil, run.ReprocessNone).Guard(launch.RunOptions(run.Input{DAG: workflows.TestDAG, Date: workflows.SomeDay}))
	require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, guarded.WorkflowIDReusePolicy)
	require.Equal(t, run.WorkflowID(workflows.TestDAG, workflows.SomeDay), guarded.ID)
}
