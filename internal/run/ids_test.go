package run

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/workflows"
)

func TestIDs_OneForEachDate(t *testing.T) {
	require.Equal(t, "pinterest-daily-2022-10-18", WorkflowID(workflows.DailyName, workflows.SomeDay))
	run := launch.RunOptions(Input{DAG: workflows.DailyName, Date: workflows.SomeDay, Trigger: Manual})
	require.Equal(t, "pinterest-daily-2022-10-18", run.ID)
	require.True(t, run.WorkflowExecutionErrorWhenAlreadyStarted)
	state, _ := run.TypedSearchAttributes.GetKeyword(search.State)
	require.Equal(t, "running", state)
	at, _ := run.TypedSearchAttributes.GetTime(search.Date)
	require.Equal(t, workflows.SomeDay.Start(), at)
	require.NotEqual(t, run.ID, launch.RangeOptions(RangeInput{DAG: workflows.DailyName, From: workflows.SomeDay, To: workflows.SomeDay}).ID)
}
