package history

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/clients/temporal"
)

// landingRun is a run that lands records.
type landingRun struct {
	client.Client
	history []*historypb.HistoryEvent
	pending []*workflowpb.PendingActivityInfo
}

func (r *landingRun) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return r
}

func (r *landingRun) HasNext() bool { return len(r.history) > 0 }

func (r *landingRun) Next() (*historypb.HistoryEvent, error) {
	event := r.history[0]
	r.history = r.history[1:]
	return event, nil
}

func (r *landingRun) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return &workflowservice.DescribeWorkflowExecutionResponse{PendingActivities: r.pending}, nil
}

func TestLanding(t *testing.T) {
	t.Parallel()
	t.Run("counts_offsets_of_all_partitions", func(t *testing.T) {
		t.Parallel()
		event := func(id int64, activity string, in landing.PartitionsInput) *historypb.HistoryEvent {
			payloads, err := converter.GetDefaultDataConverter().ToPayloads(in)
			require.NoError(t, err)
			return &historypb.HistoryEvent{EventId: id, Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
				ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
					ActivityId: string(rune('0' + id)), ActivityType: &commonpb.ActivityType{Name: activity}, Input: payloads,
				}}}
		}
		heartbeat, err := converter.GetDefaultDataConverter().ToPayloads(int64(300))
		require.NoError(t, err)
		conn := &temporal.Connection{Client: &landingRun{
			history: []*historypb.HistoryEvent{
				event(5, "PlanLanding", landing.PartitionsInput{}),
				event(6, "LandPartitions", landing.PartitionsInput{Ranges: []landing.Range{{Partition: 0, Start: 100, End: 600}}}),
				event(7, "LandPartitions", landing.PartitionsInput{Ranges: []landing.Range{{Partition: 1, Start: 1000, End: 1600}, {Partition: 3, Start: 2000, End: 2400}}}),
				event(8, "LandPartitions", landing.PartitionsInput{Ranges: []landing.Range{{Partition: 2, Start: 0, End: 50}}}),
				{EventId: 9, Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
					ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: 6}}},
			},
			pending: []*workflowpb.PendingActivityInfo{{ActivityId: "7", HeartbeatDetails: heartbeat}, {ActivityId: "8"}},
		}}
		far, err := landingOf(t.Context(), conn, "run", "r1")
		require.NoError(t, err)
		require.Equal(t, Landing{Done: 500 + 300, Total: 500 + 1000 + 50}, far)
	})
}
