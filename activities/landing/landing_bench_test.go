package landing

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
)

// BenchmarkLandPartitions measures landing alone: records of the size of real posts, from a broker
// in memory to a bucket in memory.
func BenchmarkLandPartitions(b *testing.B) {
	const records = 100_000
	l := newLandings(1, at(day, 25))
	l.fix(b, day.Add(-1), `{"0":0}`)
	l.broker.fetchSize = 4_000
	bytes := 0
	for i := range records {
		value := fmt.Sprintf(`{"index":%d,"unique_id":"fbe53c66-3442-4773-b19e-d3ec6f54dddf","title":"No Title Data Available","description":"%s","follower_count":"124k"}`,
			i, strings.Repeat("Some words of a description. ", 20))
		bytes += len(value)
		l.broker.produce(topic, 0, at(day, 1), value)
	}
	plan, err := l.plan(day)
	require.NoError(b, err)
	b.SetBytes(int64(bytes))
	for b.Loop() {
		l.bucket.Delete("topics/")
		landed, err := activitytest.Execute[PartitionsSummary](l.LandPartitions, PartitionsInput{Topic: topic, Date: day, Ranges: plan.Ranges[:1]})
		require.NoError(b, err)
		require.EqualValues(b, records, landed.Records)
	}
	b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "records/s")
}
