package history

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/clients/temporal"
)

// landPartition is the activity that lands one partition, by its name in history.
const landPartition = "LandPartition"

// Landing is the progress of landing a run's records, in offsets.
type Landing struct{ Done, Total int64 }

// landingOf reads the progress from a run's history: the ranges to land, those that are landed and,
// for the others, their heartbeats.
func landingOf(ctx context.Context, conn *temporal.Connection, id, runID string) (Landing, error) {
	ranges := map[string]landing.Range{} // by activity id
	scheduled := map[int64]string{}      // event id → activity id
	var progress Landing
	events := conn.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return Landing{}, err
		}
		if attributes := event.GetActivityTaskScheduledEventAttributes(); attributes.GetActivityType().GetName() == landPartition {
			var in landing.PartitionInput
			if err := converter.GetDefaultDataConverter().FromPayloads(attributes.GetInput(), &in); err != nil {
				return Landing{}, err
			}
			ranges[attributes.GetActivityId()] = in.Range
			scheduled[event.GetEventId()] = attributes.GetActivityId()
			progress.Total += in.Range.End - in.Range.Start
		}
		if id, ok := scheduled[event.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()]; ok {
			progress.Done += ranges[id].End - ranges[id].Start
		}
	}
	description, err := conn.DescribeWorkflowExecution(ctx, id, runID)
	if err != nil {
		return Landing{}, err
	}
	for _, pending := range description.GetPendingActivities() {
		var next int64
		r, ok := ranges[pending.GetActivityId()]
		if ok && converter.GetDefaultDataConverter().FromPayloads(pending.GetHeartbeatDetails(), &next) == nil && next > r.Start {
			progress.Done += next - r.Start
		}
	}
	return progress, nil
}
