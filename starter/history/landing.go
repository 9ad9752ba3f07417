package history

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/clients/temporal"
)

// landPartitions is the activity that lands partitions, by its name in history.
const landPartitions = "LandPartitions"

// Landing is the progress of landing a run's records, in offsets.
type Landing struct{ Done, Total int64 }

// landingOf reads the progress from a run's history: the ranges to land, those that are landed and,
// for the others, their heartbeats.
func landingOf(ctx context.Context, conn *temporal.Connection, id, runID string) (Landing, error) {
	offsets := map[string]int64{}   // by activity id
	scheduled := map[int64]string{} // event id → activity id
	var progress Landing
	events := conn.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return Landing{}, err
		}
		if attributes := event.GetActivityTaskScheduledEventAttributes(); attributes.GetActivityType().GetName() == landPartitions {
			var in landing.PartitionsInput
			if err := converter.GetDefaultDataConverter().FromPayloads(attributes.GetInput(), &in); err != nil {
				return Landing{}, err
			}
			offsets[attributes.GetActivityId()] = in.Offsets()
			scheduled[event.GetEventId()] = attributes.GetActivityId()
			progress.Total += in.Offsets()
		}
		if id, ok := scheduled[event.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()]; ok {
			progress.Done += offsets[id]
		}
	}
	description, err := conn.DescribeWorkflowExecution(ctx, id, runID)
	if err != nil {
		return Landing{}, err
	}
	for _, pending := range description.GetPendingActivities() {
		var done int64
		all, ok := offsets[pending.GetActivityId()]
		if ok && converter.GetDefaultDataConverter().FromPayloads(pending.GetHeartbeatDetails(), &done) == nil {
			progress.Done += min(done, all)
		}
	}
	return progress, nil
}
