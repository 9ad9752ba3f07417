// Package integration tests Pinflow's clients and programs against the embedded systems, below the
// whole stack.
package integration

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// patience limits every wait; it is not an expectation of speed.
const patience = time.Minute

const topic = "pinflow.pin"

// broker starts a Kafka cluster with the topic.
func broker(t *testing.T, partitions int32, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

// produces returns a producer for the cluster, which is closed at the end of the test.
func produces(t *testing.T, cluster *kfake.Cluster, config kafka.ProducerConfig) *kafka.Producer {
	t.Helper()
	config.Brokers = cluster.ListenAddrs()
	config.ClientID = "test"
	producer, err := kafka.NewProducer(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, producer.Close(deadline(t))) })
	return producer
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// readAll reads n records of the topic with another client than the one under test; a partition's
// records are in the order of its log.
func readAll(t *testing.T, cluster *kfake.Cluster, n int) []*kgo.Record {
	t.Helper()
	return readRecords(t, cluster, topic, n)
}

func readRecords(t *testing.T, cluster *kfake.Cluster, name string, n int) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(name),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	ctx := deadline(t)
	var records []*kgo.Record
	for len(records) < n {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		records = append(records, fetches.Records()...)
	}
	return records
}

// count returns the number of records in the topic.
func count(t *testing.T, cluster *kfake.Cluster) int {
	t.Helper()
	total := 0
	for partition := int32(0); ; partition++ {
		info := cluster.PartitionInfo(topic, partition)
		if info == nil {
			return total
		}
		total += int(info.HighWatermark)
	}
}
