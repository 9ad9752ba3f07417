package main

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/clients/temporal"
)

// landPartition is the activity that lands one partition, by its name in history.
const landPartition = "LandPartition"

// landed is how far the landing of a run's records is, in offsets.
type landed struct{ done, total int64 }

// landingOf reads a run's history: the ranges that are to be landed, and those that are; of the others, how far their heartbeats say they are.
func landingOf(ctx context.Context, conn *temporal.Connection, id, runID string) (landed, error) {
	ranges := map[string]landing.Range{} // by activity id
	scheduled := map[int64]string{}      // event id → activity id
	var far landed
	events := conn.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return landed{}, err
		}
		if attributes := event.GetActivityTaskScheduledEventAttributes(); attributes.GetActivityType().GetName() == landPartition {
			var in landing.PartitionInput
			if err := converter.GetDefaultDataConverter().FromPayloads(attributes.GetInput(), &in); err != nil {
				return landed{}, err
			}
			ranges[attributes.GetActivityId()] = in.Range
			scheduled[event.GetEventId()] = attributes.GetActivityId()
			far.total += in.Range.End - in.Range.Start
		}
		if id, ok := scheduled[event.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()]; ok {
			far.done += ranges[id].End - ranges[id].Start
		}
	}
	description, err := conn.DescribeWorkflowExecution(ctx, id, runID)
	if err != nil {
		return landed{}, err
	}
	for _, pending := range description.GetPendingActivities() {
		var next int64
		r, ok := ranges[pending.GetActivityId()]
		if ok && converter.GetDefaultDataConverter().FromPayloads(pending.GetHeartbeatDetails(), &next) == nil && next > r.Start {
			far.done += next - r.Start
		}
	}
	return far, nil
}
