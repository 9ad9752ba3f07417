package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/dates"
)

const topic = "u.pin"

// day is the date of most tests.
const day = dates.Date("2022-10-18")

// at is a moment of a date, in hours from its start.
func at(date dates.Date, hours float64) time.Time {
	return date.Start().Add(time.Duration(hours * float64(time.Hour)))
}

// landings is a landing with its fakes; the clock stands still at now.
type landings struct {
	*Landing
	broker *broker
	bucket *bucket
	now    time.Time
}

func newLandings(partitions int, now time.Time) *landings {
	l := &landings{broker: newBroker(topic, partitions), bucket: newBucket(), now: now}
	l.Landing = &Landing{Kafka: l.broker, Objects: l.bucket, UserID: "u", clock: clock{
		time: func() time.Time { return l.now },
		wait: func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) },
	}}
	return l
}

func (l *landings) plan(date dates.Date) (LandingPlan, error) {
	return execute[LandingPlan](l.PlanLanding, PlanLandingInput{Topic: "pin", Date: date})
}

// landPlan lands all ranges of a plan and writes the manifest.
func (l *landings) landPlan(plan LandingPlan) (ManifestSummary, error) {
	for _, r := range plan.Ranges {
		if r.Empty() {
			continue
		}
		if _, err := execute[LandedPartition](l.LandPartition, LandPartitionInput{Topic: plan.Topic, Date: plan.Date, Range: r}); err != nil {
			return ManifestSummary{}, err
		}
	}
	return execute[ManifestSummary](l.WriteManifest, WriteManifestInput{Plan: plan})
}

func (l *landings) land(t require.TestingT, date dates.Date) (LandingPlan, ManifestSummary) {
	plan, err := l.plan(date)
	require.NoError(t, err)
	summary, err := l.landPlan(plan)
	require.NoError(t, err)
	return plan, summary
}

// offsets returns the offsets of a date's lines, in the order of the objects' names, as partition/offset.
func (l *landings) offsets(t require.TestingT, date dates.Date) []string {
	var found []string
	for _, key := range l.bucket.keys("topics/" + topic + "/dt=" + string(date) + "/") {
		body, err := l.bucket.Get(context.Background(), key)
		require.NoError(t, err)
		for _, text := range strings.SplitAfter(string(body), "\n") {
			if text == "" {
				continue
			}
			var line struct{ Partition, Offset int64 }
			require.NoError(t, json.Unmarshal([]byte(text), &line))
			found = append(found, fmt.Sprintf("%d/%d", line.Partition, line.Offset))
		}
	}
	return found
}

// fix writes a boundary.
func (l *landings) fix(t require.TestingT, date dates.Date, body string) {
	require.NoError(t, l.bucket.Put(context.Background(), PutObject{Key: boundaryKey(topic, date), Body: []byte(body)}))
}

func requireFinal(t *testing.T, err error, kind string, words ...string) {
	t.Helper()
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.True(t, failure.NonRetryable(), "%v", err)
	require.Equal(t, kind, failure.Type(), "%v", err)
	for _, word := range words {
		require.Contains(t, failure.Message(), word)
	}
}

func requireRetryable(t *testing.T, err error, words ...string) {
	t.Helper()
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.False(t, failure.NonRetryable(), "%v", err)
	for _, word := range words {
		require.Contains(t, err.Error(), word)
	}
}
