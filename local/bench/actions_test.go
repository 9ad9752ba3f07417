package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// kind is what events of one type are for, and how many actions Temporal Cloud counts for each,
// after its page "Temporal Cloud Actions" (docs.temporal.io/cloud/actions). Markers are counted
// otherwise: those of one workflow task together are one action.
type kind struct {
	purpose string
	actions int
}

var kinds = map[enumspb.EventType]kind{
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:                   {"a client starts the run", 1},
	enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:                      {"the server asks the workflow for its next commands", 0},
	enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:                        {"a worker has taken the workflow task", 0},
	enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:                      {"the workflow has returned its commands", 0},
	enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:                      {"the workflow schedules a task's activity", 1},
	enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:                        {"a worker has taken the activity", 0},
	enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:                      {"the activity has completed", 0},
	enumspb.EVENT_TYPE_MARKER_RECORDED:                              {"the DAG of the run; a local activity: a ledger entry, a message between run and pools", 0},
	enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:            {"the run's state becomes searchable", 1},
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:                 {"the run has ended", 0},
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:                  {"work in a pool has started, or a pool has received a request", 1},
	enumspb.EVENT_TYPE_TIMER_STARTED:                                {"announcements lapse, 30 minutes later", 1},
	enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: {"a pool reports to a run; counted where it arrives", 0},
	enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED:         {"the report has arrived", 0},
}

// BenchmarkHistory counts the events and actions of a clean run: of five tasks that do nothing, and
// of the same in pools.
func BenchmarkHistory(b *testing.B) {
	w := newWorld(b)
	day := dates.Of(time.Now())
	w.time(b, runOf(pooledDAG, day.Add(-1)))
	for b.Loop() {
		w.time(b, runOf(noopDAG, day.Add(-2)))
		events := w.events(b, run.DefaultDeployment.WorkflowID(noopDAG, day.Add(-2)))
		b.ReportMetric(float64(len(events)), "events")
		b.ReportMetric(float64(actions(events)), "actions")
		results.add("≤ 40", "a clean run of five no-op tasks: events, actions", "%d, %d", len(events), actions(events))
		results.explain("Events of a clean run of five no-op tasks, without pools", eventTable(events))

		pooled, pools := w.events(b, run.DefaultDeployment.WorkflowID(pooledDAG, day.Add(-1))), w.events(b, run.DefaultDeployment.PoolsID())
		results.add("", "the same with each task in a pool: events of the run, of the pools, actions of both", "%d, %d, %d", len(pooled), len(pools), actions(pooled)+actions(pools))
		results.explain("Events of the same run with each task in a pool of its own", eventTable(pooled))
	}
	b.ReportMetric(0, "ns/op")
}

// events returns the history so far. The Pools workflow never ends, so that waiting for its end would
// never end either.
func (w world) events(b *testing.B, id string) (events []*historypb.HistoryEvent) {
	b.Helper()
	for all := w.GetWorkflowHistory(b.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); all.HasNext(); {
		event, err := all.Next()
		require.NoError(b, err)
		events = append(events, event)
	}
	return events
}

// actions counts the actions that a history shows. Queries and heartbeats leave no event; these
// runs have none.
func actions(events []*historypb.HistoryEvent) int {
	n := 0
	marked := map[int64]bool{} // workflow tasks with markers
	for _, e := range events {
		n += kinds[e.EventType].actions
		if m := e.GetMarkerRecordedEventAttributes(); m != nil && !marked[m.WorkflowTaskCompletedEventId] {
			marked[m.WorkflowTaskCompletedEventId] = true
			n++
		}
	}
	return n
}

// eventTable lists the kinds of event with their numbers, in the order in which they first come.
func eventTable(events []*historypb.HistoryEvent) string {
	var order []enumspb.EventType
	counts := map[enumspb.EventType]int{}
	byKind := map[enumspb.EventType][]*historypb.HistoryEvent{}
	for _, e := range events {
		if counts[e.EventType]++; counts[e.EventType] == 1 {
			order = append(order, e.EventType)
		}
		byKind[e.EventType] = append(byKind[e.EventType], e)
	}
	var rows [][3]string
	for _, t := range order {
		purpose := kinds[t].purpose
		if purpose == "" {
			purpose = "?"
		}
		rows = append(rows, [3]string{fmt.Sprintf("%s × %d", t, counts[t]), fmt.Sprint(actions(byKind[t])), purpose})
	}
	rows = append(rows, [3]string{fmt.Sprintf("all: %d", len(events)), fmt.Sprint(actions(events)), ""})
	return markdown([3]string{"event", "actions", "what for"}, rows)
}
