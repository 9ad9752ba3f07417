package landing

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/failure"
)

func TestGroup(t *testing.T) {
	of := func(partition int, offsets int64) Range {
		return Range{Partition: partition, Start: 7, End: 7 + offsets}
	}
	for _, test := range []struct {
		name   string
		ranges []Range
		want   [][]Range
	}{
		{"nothing", nil, nil},
		{"empty ranges", []Range{of(0, 0), of(1, 0)}, nil},
		{"small ranges together", []Range{of(0, 1), of(1, 0), of(2, 50_000)}, [][]Range{{of(0, 1), of(2, 50_000)}}},
		{"up to the limit", []Range{of(0, 60_000), of(1, 40_000), of(2, 1)}, [][]Range{{of(0, 60_000), of(1, 40_000)}, {of(2, 1)}}},
		{"a large range alone", []Range{of(0, 1), of(1, 100_001), of(2, 1)}, [][]Range{{of(1, 100_001)}, {of(0, 1), of(2, 1)}}},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, group(test.ranges)) })
	}
}

func TestLandPartitions(t *testing.T) {
	t.Run("one_failed_range_does_not_stop_the_others", func(t *testing.T) {
		l := newLandings(6, at(day, 25))
		for partition := range 6 {
			l.broker.produce(topic, partition, at(day, 1), "{}")
		}
		plan, err := l.plan(day)
		require.NoError(t, err)
		require.Len(t, plan.Groups, 1)
		l.bucket.FailBefore(func(request, key string) error {
			if request == "put" && key == objectKey(topic, day, Object{Partition: 1, Start: 0}) {
				return errors.New("connection reset")
			}
			return nil
		})
		_, err = l.landPlan(plan)
		activitytest.RequireRetryable(t, err, "connection reset")
		require.Len(t, l.offsets(t, day), 5)
		l.bucket.FailBefore(nil)
		summary, err := l.landPlan(plan)
		require.NoError(t, err)
		require.EqualValues(t, 6, summary.Records)
	})

	t.Run("fails_for_good_if_one_range_does", func(t *testing.T) {
		l := newLandings(2, at(day, 25))
		for partition := range 2 {
			l.broker.produce(topic, partition, at(day, 1), "{}")
		}
		plan, err := l.plan(day)
		require.NoError(t, err)
		l.bucket.FailBefore(func(request, key string) error {
			switch {
			case request == "put" && key == objectKey(topic, day, Object{Partition: 0, Start: 0}):
				return errors.New("connection reset")
			case request == "put" && key == objectKey(topic, day, Object{Partition: 1, Start: 0}):
				return &fault.Error{Kind: fault.Unauthorized, What: "S3 refused", Next: "check the policy", Err: errors.New("403")}
			}
			return nil
		})
		_, err = l.landPlan(plan)
		activitytest.RequireNonRetryable(t, err, failure.AccessDenied, "check the policy")
	})
}
