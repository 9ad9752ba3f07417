package schedule

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/search"
)

// MaxFirings is the largest number of firings that Temporal lists at a time
// (maxListMatchingTimesCount in its scheduler).
const MaxFirings = 1000

// Temporal is what this package needs of Temporal; client.Client satisfies it.
type Temporal interface {
	ScheduleClient() client.ScheduleClient
	WorkflowService() workflowservice.WorkflowServiceClient
	search.Lister
}

// Firing is a time at which a Schedule fires, and the logical date that it runs.
type Firing struct {
	At   time.Time  `json:"firing"`
	Date dates.Date `json:"date"`
}

// Firings returns the firings of a Schedule after from and up to to, at most MaxFirings, by
// its present specification and whether or not it was paused then.
func Firings(ctx context.Context, temporal Temporal, namespace, scheduleID string, from, to time.Time) ([]Firing, error) {
	answer, err := temporal.WorkflowService().ListScheduleMatchingTimes(ctx, &workflowservice.ListScheduleMatchingTimesRequest{
		Namespace: namespace, ScheduleId: scheduleID, StartTime: timestamppb.New(from), EndTime: timestamppb.New(to),
	})
	if err != nil {
		return nil, fmt.Errorf("list the firings of Schedule %s: %w", scheduleID, err)
	}
	var all []Firing
	for _, at := range answer.GetStartTime() {
		if moment := at.AsTime(); moment.After(from) && !moment.After(to) {
			all = append(all, Firing{At: moment, Date: LogicalDate(moment)})
		}
	}
	return all, nil
}

// Past returns the firings of a Schedule that should have happened: after since and after its
// creation, up to now. info is Temporal's description of the Schedule.
func Past(ctx context.Context, temporal Temporal, namespace, scheduleID string, info client.ScheduleInfo, since, now time.Time) ([]Firing, error) {
	if info.CreatedAt.After(since) {
		since = info.CreatedAt
	}
	all, err := Firings(ctx, temporal, namespace, scheduleID, since, now)
	return sinceCreation(all, info), err
}

// sinceCreation returns the firings after the creation of the Schedule.
//
// Temporal knows the present specification, not earlier ones. A Schedule that was created at 03:00
// to fire at midnight, and now fires at 06:00, seems to have missed a firing on its first morning;
// such a date, from before the day of the creation, is left out.
func sinceCreation(all []Firing, info client.ScheduleInfo) []Firing {
	return slices.DeleteFunc(slices.Clone(all), func(f Firing) bool {
		return !f.At.After(info.CreatedAt) || f.At.Before(info.LastUpdateAt) && f.Date < dates.Of(info.CreatedAt)
	})
}
