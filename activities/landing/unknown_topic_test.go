package landing

import (
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/failure"
)

// A broker that has just restarted, or that has lost a partition to another, does not know a topic
// for a moment. Kafka calls UNKNOWN_TOPIC_OR_PARTITION retriable.
func TestUnknownTopic(t *testing.T) {
	// unknown makes that many requests of a kind fail.
	unknown := func(l *landings, request string, times int, err error) (asked *int) {
		asked = new(int)
		l.broker.fault = func(each, _ string) error {
			if each != request {
				return nil
			}
			if *asked++; *asked > times {
				return nil
			}
			return err
		}
		return asked
	}

	t.Run("that_passes_fails_no_fetch", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.produce(topic, 0, at(day, 1), "{}")
		plan, err := l.plan(day)
		require.NoError(t, err)
		unknown(l, "fetch", 3, kafkago.UnknownTopicOrPartition)
		summary, err := l.landPlan(plan)
		require.NoError(t, err)
		require.EqualValues(t, 1, summary.Records)
	})

	t.Run("that_passes_fails_no_plan", func(t *testing.T) {
		for request, err := range map[string]error{"partitions": kafka.ErrUnknownTopic, "stable": kafkago.UnknownTopicOrPartition, "at": kafkago.UnknownTopicOrPartition} {
			t.Run(request, func(t *testing.T) {
				l := newLandings(1, at(day, 25))
				l.broker.produce(topic, 0, at(day, 1), "{}")
				unknown(l, request, 1, err)
				_, err := l.plan(day)
				if request != "partitions" { // Temporal retries: the next attempt looks the topic up again
					activitytest.RequireRetryable(t, err)
					_, err = l.plan(day)
				}
				require.NoError(t, err)
			})
		}
	})

	t.Run("that_stays_fails_the_plan_soon", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		asked := unknown(l, "partitions", 1000, kafka.ErrUnknownTopic)
		_, err := l.plan(day)
		activitytest.RequireNonRetryable(t, err, failure.Missing, "u.pin", "starter setup")
		require.Equal(t, kafkaAttempts, *asked)
	})

	t.Run("that_was_deleted_after_the_plan_fails_the_landing", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.produce(topic, 0, at(day, 1), "{}")
		plan, err := l.plan(day)
		require.NoError(t, err)
		delete(l.broker.topics, topic)
		_, err = l.landPlan(plan)
		activitytest.RequireNonRetryable(t, err, failure.Missing, "u.pin", "starter setup")
	})

	t.Run("that_the_cluster_knows_is_retried_by_temporal", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.produce(topic, 0, at(day, 1), "{}")
		plan, err := l.plan(day)
		require.NoError(t, err)
		asked := unknown(l, "fetch", 1000, kafkago.UnknownTopicOrPartition)
		_, err = l.landPlan(plan)
		activitytest.RequireRetryable(t, err, "partition 0 of u.pin")
		require.Equal(t, kafkaAttempts, *asked)
	})
}
