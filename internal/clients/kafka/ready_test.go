package kafka

import (
	"maps"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
)

func TestReady(t *testing.T) {
	t.Parallel()
	brokers := []kafkago.Broker{{Host: "a", Port: 1}, {Host: "b", Port: 1}, {Host: "c", Port: 1}}
	partition := func(leader int, inSync ...int) *layout {
		one := kafkago.Partition{ID: 2}
		if leader >= 0 {
			one.Leader = brokers[leader]
		}
		for _, id := range inSync {
			one.Isr = append(one.Isr, brokers[id])
		}
		other := kafkago.Partition{} // of a topic that is not served
		return &layout{topics: map[string][]kafkago.Partition{"pinflow.pin": {one}, "other": {other}}}
	}
	serves := func(topic string) bool { return topic == "pinflow.pin" }
	all := map[string]bool{"a:1": true, "b:1": true, "c:1": true}
	without := func(addresses ...string) map[string]bool {
		left := maps.Clone(all)
		for _, at := range addresses {
			left[at] = false
		}
		return left
	}
	for name, c := range map[string]struct {
		known    *layout
		alive    map[string]bool
		required int
		// soon is what is wrong at once, later after the time in which Kafka finds another leader.
		soon, later string
	}{
		"all is well":                           {partition(0, 0, 1, 2), all, 2, "", ""},
		"no leader":                             {partition(-1, 0, 1, 2), all, 2, "pinflow.pin[2]: no leader", "no leader"},
		"one of three has gone":                 {partition(0, 0, 1), all, 2, "", ""},
		"the leader has just gone":              {partition(0, 0, 1, 2), without("a:1"), 2, "", "a:1 does not answer"},
		"two of three have gone":                {partition(0, 0, 1, 2), without("b:1", "c:1"), 2, "1 of the in-sync replicas answer, 2 are required", "does not answer"},
		"two have gone, the cluster knows":      {partition(0, 0), all, 2, "1 of the in-sync replicas answer, 2 are required", "2 are required"},
		"two have gone, one is enough":          {partition(0, 0), all, 1, "", ""},
		"two have gone, their absence is stale": {partition(0, 0, 1, 2), without("b:1", "c:1"), 1, "", "b:1 does not answer"},
		"the only replica has gone":             {partition(0, 0), without("a:1"), 0, "0 of the in-sync replicas answer, 1 are required", "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			r := readiness{required: map[string]int{"pinflow.pin": c.required}}
			now := time.Now()
			for _, at := range []struct {
				now  time.Time
				want string
			}{{now, c.soon}, {now.Add(awayTime / 2), c.soon}, {now.Add(awayTime + 1), c.later}} {
				err := r.judge(c.known, serves, c.alive, at.now)
				if at.want == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, at.want)
				}
			}
			require.NoError(t, r.judge(partition(0, 0, 1, 2), serves, all, now.Add(time.Hour)), "it recovers")
		})
	}
}
