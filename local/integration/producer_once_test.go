package integration

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// refuseIDs makes a cluster one whose user may not get producer ids.
func refuseIDs(cluster *kfake.Cluster) {
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.ClusterAuthorizationFailed, Count: -1})
}

func TestProduceOnce(t *testing.T) {
	t.Parallel()
	t.Run("a_request_that_times_out_is_not_appended_again", func(t *testing.T) {
		t.Parallel()
		cluster, faults := faultyBroker(t, 1, 1)
		t.Cleanup(cluster.Close)
		producer := produces(t, cluster, kafka.ProducerConfig{RequestTimeout: 200 * time.Millisecond, DeliveryTimeout: 30 * time.Second})
		faults.inject(4, produceFault{slow: 500 * time.Millisecond})
		const posts = 10
		var posted sync.WaitGroup
		for i := range posts {
			posted.Go(func() {
				acks, err := producer.Produce(deadline(t), topic, messages(i, 1, 1))
				if err != nil || acks[0].Err != nil {
					t.Errorf("post %d: %v %+v", i, err, acks)
				}
			})
		}
		posted.Wait()
		time.Sleep(time.Second) // the slow requests arrive
		all := copies(t, cluster)
		require.Len(t, all, posts)
		for value, times := range all {
			require.Equal(t, 1, times, "value %s", value)
		}
	})

	// A user that may not get a producer id, or a broker before Kafka 0.11.
	t.Run("without_a_producer_id_the_outcome_is_unknown_and_nothing_is_sent_again", func(t *testing.T) {
		t.Parallel()
		for name, fault := range map[string]produceFault{"slow": {slow: time.Second}, "lost": {lose: true}} {
			t.Run(name, func(t *testing.T) {
				cluster, faults := faultyBroker(t, 1, 1)
				t.Cleanup(cluster.Close)
				refuseIDs(cluster)
				producer := produces(t, cluster, kafka.ProducerConfig{RequestTimeout: 200 * time.Millisecond, DeliveryTimeout: 30 * time.Second})
				acks, err := producer.Produce(deadline(t), topic, messages(0, 1, 1))
				requireAcked(t, acks, err)
				faults.inject(1, fault)
				acks, err = producer.Produce(deadline(t), topic, messages(1, 1, 1))
				require.NoError(t, err)
				require.ErrorIs(t, acks[0].Err, kafka.ErrUnknownOutcome)
				acks, err = producer.Produce(deadline(t), topic, messages(2, 1, 1))
				requireAcked(t, acks, err)
				require.Eventually(t, func() bool { return count(t, cluster) == 3 }, patience, time.Millisecond)
				require.Equal(t, map[string]int{"0": 1, "1": 1, "2": 1}, copies(t, cluster))
			})
		}
	})

	t.Run("definite_failures_are_tried_again_without_a_producer_id_too", func(t *testing.T) {
		t.Parallel()
		cluster := broker(t, 1)
		refuseIDs(cluster)
		for _, failure := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas, kerr.LeaderNotAvailable} {
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: failure, Count: 2})
			producer := produces(t, cluster, kafka.ProducerConfig{})
			acks, err := producer.Produce(deadline(t), topic, messages(0, 1, 1))
			requireAcked(t, acks, err)
		}
		require.Equal(t, map[string]int{"0": 4}, copies(t, cluster))
	})

	t.Run("who_gives_up_is_told_that_the_outcome_is_unknown", func(t *testing.T) {
		t.Parallel()
		cluster, faults := faultyBroker(t, 1, 1)
		t.Cleanup(cluster.Close)
		producer := produces(t, cluster, kafka.ProducerConfig{RequestTimeout: 100 * time.Millisecond, DeliveryTimeout: 400 * time.Millisecond})
		acks, err := producer.Produce(deadline(t), topic, messages(0, 1, 1))
		requireAcked(t, acks, err)
		faults.inject(100, produceFault{slow: time.Second})
		acks, err = producer.Produce(deadline(t), topic, messages(1, 1, 1))
		require.NoError(t, err)
		require.ErrorIs(t, acks[0].Err, kafka.ErrUnknownOutcome)
		faults.inject(0, produceFault{})
		acks, err = producer.Produce(deadline(t), topic, messages(2, 1, 1))
		requireAcked(t, acks, err)
		require.Eventually(t, func() bool { return count(t, cluster) == 3 }, patience, time.Millisecond)
		time.Sleep(time.Second) // the slow requests arrive
		require.Equal(t, map[string]int{"0": 1, "1": 1, "2": 1}, copies(t, cluster))
	})

	// Sequences of faults. What was acknowledged is there once; of what is unknown, one copy or none;
	// what failed is not there. TestProducerTrouble holds the order.
	t.Run("whatever_goes_wrong", func(t *testing.T) {
		t.Parallel()
		outcomes := map[string]int{}
		rapid.Check(t, func(r *rapid.T) {
			cluster, faults := faultyBroker(r, 2, 2)
			defer cluster.Close()
			config := kafka.ProducerConfig{RequestTimeout: 20 * time.Millisecond, DeliveryTimeout: 80 * time.Millisecond}
			config.Brokers = cluster.ListenAddrs()
			producer, err := kafka.NewProducer(config)
			require.NoError(r, err)
			defer func() { require.NoError(r, producer.Close(deadline(t))) }()
			if rapid.Bool().Draw(r, "without producer ids") {
				refuseIDs(cluster)
			}
			outcome := map[string]error{}
			for call := range 4 {
				wrong(r, cluster, faults)
				sent := messages(call*4, 4, 3)
				acks, err := producer.Produce(deadline(t), topic, sent)
				for i, m := range sent {
					outcome[string(m.Value)] = err
					if err == nil {
						outcome[string(m.Value)] = acks[i].Err
					}
				}
			}
			time.Sleep(50 * time.Millisecond) // what is slow arrives
			all := copies(t, cluster)
			for value, err := range outcome {
				switch {
				case err == nil:
					require.Equal(r, 1, all[value], "%s was acknowledged", value)
					outcomes["acknowledged"]++
				case errors.Is(err, kafka.ErrUnknownOutcome):
					require.LessOrEqual(r, all[value], 1, "%s: %v", value, err)
					outcomes["unknown"]++
				default:
					require.Zero(r, all[value], "%s: %v", value, err)
					outcomes["failed"]++
				}
			}
		})
		t.Log(outcomes)
		require.Greater(t, outcomes["acknowledged"], outcomes["unknown"])
		require.NotZero(t, outcomes["unknown"])
	})
}

// wrong makes one thing go wrong with the next requests, or nothing.
func wrong(r *rapid.T, cluster *kfake.Cluster, faults *faulty) {
	times := rapid.IntRange(1, 4).Draw(r, "times")
	answer := func(err *kerr.Error) {
		cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: err, Count: times})
	}
	switch what := rapid.SampledFrom([]string{"nothing", "slow", "cut", "lost", "not leader", "after append", "timed out", "moved", "forgotten"}).Draw(r, "wrong"); what {
	case "slow":
		faults.inject(times, produceFault{slow: 30 * time.Millisecond})
	case "cut":
		faults.inject(times, produceFault{cut: true})
	case "lost":
		faults.inject(times, produceFault{lose: true})
	case "not leader":
		answer(kerr.NotLeaderForPartition)
	case "after append":
		answer(kerr.NotEnoughReplicasAfterAppend)
	case "timed out":
		answer(kerr.RequestTimedOut)
	case "forgotten":
		answer(kerr.OutOfOrderSequenceNumber)
	case "moved":
		for partition := range int32(2) {
			require.NoError(r, cluster.MoveTopicPartition(topic, partition, int32(times)%2))
		}
	}
}
