package landing

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/pause"
	"github.com/pinflow/pinflow/internal/run"
)

const topic = "u.pin"

// day is the date of most tests.
const day = dates.Date("2022-10-18")

// at returns the time that many hours after the start of a date.
func at(date dates.Date, hours float64) time.Time {
	return date.Start().Add(time.Duration(hours * float64(time.Hour)))
}

// landings is Activities with a Kafka and a bucket in memory. The Temporal server's time is now,
// and only waiting and the test advance it. The worker's clock is off by skew.
type landings struct {
	*Activities
	broker *broker
	bucket *buckettest.Memory
	now    time.Time
	skew   time.Duration
	onWait func() // called after each wait
}

func newLandings(partitions int, now time.Time) *landings {
	l := &landings{broker: newBroker(topic, partitions), bucket: buckettest.New(), now: now, onWait: func() {}}
	l.Activities = &Activities{Kafka: l.broker, Objects: l.bucket, Topics: run.Topics{UserID: "u"}, clock: pause.Clock{
		Time: func() time.Time { return l.now.Add(l.skew) },
		Wait: func(ctx context.Context, d time.Duration) error {
			l.now = l.now.Add(d)
			l.onWait()
			return context.Cause(ctx)
		},
	}}
	return l
}

func (l *landings) plan(date dates.Date) (Plan, error) {
	return activitytest.ExecuteIn[Plan](activitytest.EnvironmentAt(l.now), l.PlanLanding, PlanInput{Topic: "pin", Date: date})
}

// landPlan lands all ranges of a plan and writes the manifest.
func (l *landings) landPlan(plan Plan) (ManifestSummary, error) {
	for _, ranges := range plan.Groups {
		if _, err := activitytest.Execute[PartitionsSummary](l.LandPartitions, PartitionsInput{Topic: plan.Topic, Date: plan.Date, Ranges: ranges}); err != nil {
			return ManifestSummary{}, err
		}
	}
	return activitytest.Execute[ManifestSummary](l.WriteManifest, ManifestInput{Plan: plan})
}

func (l *landings) land(t require.TestingT, date dates.Date) (Plan, ManifestSummary) {
	plan, err := l.plan(date)
	require.NoError(t, err)
	summary, err := l.landPlan(plan)
	require.NoError(t, err)
	return plan, summary
}

// offsets returns the offsets of the lines of a date as partition/offset, in the order of the keys.
func (l *landings) offsets(t require.TestingT, date dates.Date) []string {
	var found []string
	for _, key := range l.bucket.Keys("topics/" + topic + "/dt=" + string(date) + "/") {
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
	require.NoError(t, l.bucket.Put(context.Background(), bucket.PutInput{Key: boundaryKey(topic, date), Body: []byte(body)}))
}
