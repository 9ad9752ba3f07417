package e2e

import (
	"fmt"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/workflows"
)

type historyEvent = historypb.HistoryEvent

// tasksOfDaily is how many Databricks runs a clean run of the daily DAG makes: one a task.
var tasksOfDaily = len(workflows.Daily.DAG)

// temporal connects to the system's Temporal, to see what its programs have done there.
func (s *system) temporal() client.Client {
	s.t.Helper()
	c, err := client.Dial(client.Options{HostPort: s.setting("TEMPORAL_ADDRESS"), Namespace: s.setting("TEMPORAL_NAMESPACE")})
	require.NoError(s.t, err)
	s.t.Cleanup(c.Close)
	return c
}

// executions returns all executions that Temporal knows of a date's workflow id: open and ended
// ones.
func (s *system) executions(c client.Client, date dates.Date) []*workflowpb.WorkflowExecutionInfo {
	s.t.Helper()
	answer, err := c.ListWorkflow(s.t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("WorkflowId = '%s'", s.deployment().WorkflowID(workflows.Daily.Name, date)),
	})
	require.NoError(s.t, err)
	return answer.Executions
}

// history returns the events of a workflow, those of its latest run if runID is empty.
func (s *system) history(c client.Client, workflowID, runID string) []*historypb.HistoryEvent {
	s.t.Helper()
	var events []*historypb.HistoryEvent
	for all := c.GetWorkflowHistory(s.t.Context(), workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); all.HasNext(); {
		event, err := all.Next()
		require.NoError(s.t, err)
		events = append(events, event)
	}
	return events
}

// databricksRuns are the Databricks runs of the system's deployment, or those of a date only, by
// name.
func (s *system) databricksRuns(date ...dates.Date) map[string][]jobs.BaseRun {
	s.t.Helper()
	w, err := databricks.NewWorkspaceClient(&databricks.Config{Host: s.setting("DATABRICKS_HOST"), Token: s.setting("DATABRICKS_TOKEN")})
	require.NoError(s.t, err)
	all, err := w.Jobs.ListRunsAll(s.t.Context(), jobs.ListRunsRequest{})
	require.NoError(s.t, err)
	prefix := fmt.Sprintf("%s %s ", s.deployment(), workflows.Daily.Name)
	for _, d := range date {
		prefix += string(d) + " "
	}
	named := map[string][]jobs.BaseRun{}
	for _, run := range all {
		if strings.HasPrefix(run.RunName, prefix) {
			named[run.RunName] = append(named[run.RunName], run)
		}
	}
	return named
}

// ago is the logical date so many days before today.
func ago(days int) dates.Date { return dates.Of(time.Now()).Add(-days) }

// fire lets the Schedule fire as it did, or would have done, at the end of the date.
func (s *system) fire(c client.Client, date dates.Date) {
	s.t.Helper()
	err := c.ScheduleClient().GetHandle(s.t.Context(), s.deployment().ScheduleID(workflows.Daily.Name)).Backfill(s.t.Context(), client.ScheduleBackfillOptions{
		Backfill: []client.ScheduleBackfill{{
			Start: date.End().Add(-time.Second), End: date.End().Add(time.Second), Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
		}},
	})
	require.NoError(s.t, err)
}
