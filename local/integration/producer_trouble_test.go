package integration

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/kafka"
)

func TestProducerTrouble(t *testing.T) {
	t.Run("loses_nothing_if_connections_break_and_leaders_move", func(t *testing.T) {
		t.Parallel()
		cluster := broker(t, 3, kfake.NumBrokers(3))
		producer := produces(t, cluster, kafka.ProducerConfig{RequestTimeout: patience, DeliveryTimeout: patience})
		const calls, records = 60, 20
		for call := range calls {
			switch call % 6 {
			case 1: // the request arrives, its answer does not
				cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
					return nil, fmt.Errorf("cut"), true
				})
			case 2:
				cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: 2})
			case 3:
				for partition := range int32(3) {
					require.NoError(t, cluster.MoveTopicPartition(topic, partition, int32(call)%3))
				}
			case 4: // the broker writes the records and returns an unknown error
				cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend, Count: 1})
			case 5:
				cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.UnknownTopicOrPartition, Count: 1})
			}
			acks, err := producer.Produce(deadline(t), topic, messages(call*records, records, 10))
			requireAcked(t, acks, err)
		}
		total := count(t, cluster)
		require.GreaterOrEqual(t, total, calls*records)
		requireOrdered(t, readAll(t, cluster, total), calls*records)
	})

	t.Run("sends_nothing_if_topic_or_partition_is_unknown", func(t *testing.T) {
		t.Parallel()
		cluster := broker(t, 2)
		producer := produces(t, cluster, kafka.ProducerConfig{})
		_, err := producer.Produce(deadline(t), "pinflow.nothing", messages(0, 1, 1))
		require.ErrorIs(t, err, kafka.ErrUnknownTopic)
		wrong := messages(0, 3, 3)
		wrong[2].Partition = 2
		_, err = producer.Produce(deadline(t), topic, wrong)
		require.ErrorIs(t, err, kafka.ErrUnknownPartition)
		require.Zero(t, count(t, cluster))
	})

	t.Run("finds_a_new_topic", func(t *testing.T) {
		t.Parallel()
		cluster := broker(t, 1)
		producer := produces(t, cluster, kafka.ProducerConfig{})
		_, err := producer.Produce(deadline(t), "pinflow.new", messages(0, 1, 1))
		require.ErrorIs(t, err, kafka.ErrUnknownTopic)
		_, err = kafka.NewAdmin(kafka.Connection{Brokers: cluster.ListenAddrs()}).CreateTopics(deadline(t), kafka.Topic{Name: "pinflow.new", Partitions: 2})
		require.NoError(t, err)
		acks, err := producer.Produce(deadline(t), "pinflow.new", messages(0, 1, 1))
		requireAcked(t, acks, err)
	})

	t.Run("reports_unreachable_brokers", func(t *testing.T) {
		cluster := broker(t, 1)
		config := kafka.ProducerConfig{DeliveryTimeout: time.Second}
		known, unknown := produces(t, cluster, config), produces(t, cluster, config)
		acks, err := known.Produce(deadline(t), topic, messages(0, 1, 1))
		requireAcked(t, acks, err)
		cluster.Close()

		_, err = unknown.Produce(deadline(t), topic, messages(0, 1, 1))
		require.ErrorIs(t, err, kafka.ErrUnreachable)
		acks, err = known.Produce(deadline(t), topic, messages(1, 2, 1))
		require.NoError(t, err, "the topic is known, so its records are tried")
		require.Equal(t, fault.Unreachable, fault.KindOf(kafka.Classify(acks[0].Err)))
		require.Equal(t, fault.Unreachable, fault.KindOf(kafka.Classify(acks[1].Err)))
		require.Error(t, acks[0].Err)
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	t.Run("waits_for_open_calls", func(t *testing.T) {
		t.Parallel()
		cluster := broker(t, 1)
		producer := produces(t, cluster, kafka.ProducerConfig{})
		held, release := make(chan struct{}), make(chan struct{})
		cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			cluster.SleepControl(func() { close(held); <-release })
			return nil, nil, false
		})
		answered, closed := make(chan []kafka.Ack, 1), make(chan error, 1)
		go func() {
			acks, _ := producer.Produce(deadline(t), topic, messages(0, 1, 1))
			answered <- acks
		}()
		<-held
		go func() { closed <- producer.Close(deadline(t)) }()
		require.Eventually(t, func() bool {
			_, err := producer.Produce(deadline(t), topic, nil)
			return errors.Is(err, kafka.ErrClosed)
		}, patience, time.Millisecond)
		require.Empty(t, closed, "a record is still under way")
		close(release)
		require.NoError(t, <-closed)
		require.NoError(t, (<-answered)[0].Err)
	})
}
