package landing

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/dates"
)

// Over some days, records arrive, expire, and are lost with their topic or with the end of a partition.
// Dates are planned and landed in any order, in part and again, and each loss is accepted. In the end no
// record has landed twice, and all records that Kafka has kept have landed.
func TestExactlyOnceThroughLosses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const first = dates.Date("2024-02-27")
		l := newLandings(rapid.IntRange(1, 2).Draw(t, "partitions"), at(first, 1))
		l.ObjectRecords, l.WarnOfGaps = rapid.IntRange(1, 4).Draw(t, "records an object"), true
		l.broker.fetchSize = rapid.IntRange(0, 3).Draw(t, "records a fetch")
		hours := rapid.SampledFrom([]float64{0.1, 1, 5, 11, 30})
		partition := func(t *rapid.T) int {
			return rapid.IntRange(0, len(l.broker.topics[topic])-1).Draw(t, "partition")
		}
		count := 0
		land := func(t *rapid.T, date dates.Date) {
			plan, err := l.planAccepting(date)
			require.NoError(t, err)
			_, err = l.landPlan(plan)
			require.NoError(t, err)
		}
		t.Repeat(map[string]func(*rapid.T){
			"produce": func(t *rapid.T) {
				to := partition(t)
				off := rapid.SampledFrom([]float64{0, 0, 0, -2, -30, 0.5, 3}).Draw(t, "hours off")
				for range rapid.IntRange(1, 9).Draw(t, "count") {
					l.broker.produce(topic, to, later(l.now, off), fmt.Sprintf(`{"record":%d}`, count))
					count++
				}
			},
			"leave offsets out": func(t *rapid.T) { l.broker.skip(topic, partition(t), 2) },
			"expire": func(t *rapid.T) {
				of := partition(t)
				log := l.broker.topics[topic][of]
				l.broker.expire(topic, of, rapid.Int64Range(log.first, log.end).Draw(t, "before"))
			},
			"lose the end of a partition": func(t *rapid.T) {
				of := partition(t)
				log := l.broker.topics[topic][of]
				l.broker.truncate(topic, of, rapid.Int64Range(log.first, log.end).Draw(t, "end"))
			},
			"create the topic again": func(t *rapid.T) { l.broker.replace(topic, rapid.IntRange(1, 3).Draw(t, "partitions")) },
			"time passes":            func(t *rapid.T) { l.now = later(l.now, hours.Draw(t, "hours")) },
			"plan": func(t *rapid.T) {
				_, err := l.planAccepting(drawDate(t, first, l.now))
				require.NoError(t, err)
			},
			"refuse": func(t *rapid.T) { _, _ = l.plan(drawDate(t, first, l.now)) },
			"land":   func(t *rapid.T) { land(t, drawDate(t, first, l.now)) },
		})
		l.now = dates.Of(l.now).End()
		last := dates.Of(l.now).Add(-1)
		for _, date := range rapid.Permutation(datesBetween(first, last)).Draw(t, "order") {
			land(t, date)
		}
		times := map[string]int{}
		for _, date := range datesBetween(first, last) {
			for _, value := range l.values(t, date) {
				times[value]++
				require.Equal(t, 1, times[value], "%s landed twice", value)
			}
		}
		before, after := l.boundary(t, first.Add(-1)), l.boundary(t, last)
		generations, err := readGenerations(context.Background(), l.bucket, topic)
		require.NoError(t, err)
		for partition, log := range l.broker.topics[topic] {
			start := min(before.at(partition), generations.limit(partition, before[partition].Generation))
			for _, record := range log.records {
				if record.Offset >= start && record.Offset < after.at(partition) {
					require.Equal(t, 1, times[string(record.Value)], "%s at offset %d of partition %d has not landed", record.Value, record.Offset, partition)
				}
			}
		}
	})
}
