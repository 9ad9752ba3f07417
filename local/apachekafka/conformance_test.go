//go:build conformance

package apachekafka

import (
	"context"
	"fmt"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/config"
)

// patience limits every wait; it is not an expectation of speed.
const patience = 2 * time.Minute

func deadline(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// connect returns a connection with the settings.
func connect(t testing.TB, settings config.Config) kafka.Connection {
	t.Helper()
	connection, err := kafka.NewConnection(deadline(t), settings, "test")
	require.NoError(t, err)
	return connection
}

// create creates a topic of one partition as setup does.
func (c *Cluster) create(t testing.TB, topic string, settings map[string]string) {
	t.Helper()
	admin := kafka.NewAdmin(connect(t, c.Settings(config.Plaintext, "")))
	_, err := admin.CreateTopics(deadline(t), kafka.Topic{Name: topic, Partitions: 1, Config: settings})
	require.NoError(t, err)
}

// other returns another client than the one under test.
func (c *Cluster) other(t testing.TB, topic string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.Brokers(config.Plaintext)...), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// produce writes records and returns the offset of the first.
func produce(t testing.TB, client *kgo.Client, at time.Time, values ...string) int64 {
	t.Helper()
	var records []*kgo.Record
	for _, value := range values {
		records = append(records, &kgo.Record{Timestamp: at, Value: []byte(value)})
	}
	require.NoError(t, client.ProduceSync(deadline(t), records...).FirstErr())
	return records[0].Offset
}

// readAll reads partition 0 of the topic up to an offset.
func readAll(t testing.TB, reader *kafka.Reader, topic string, from, end int64, maxBytes int) (records []kafkago.Message) {
	t.Helper()
	ctx := deadline(t)
	for from < end {
		more, next, err := reader.Fetch(ctx, topic, 0, from, maxBytes)
		if err != nil { // a new topic is unknown for a moment: landing repeats the fetch, too
			require.Equal(t, fault.Unreachable, fault.KindOf(kafka.Classify(err)), "%v", err)
			require.NoError(t, ctx.Err(), "%v", err)
			continue
		}
		records, from = append(records, more...), next
	}
	return records
}

func TestOneBroker(t *testing.T) {
	cluster := Start(t, 1)
	reader := kafka.NewReader(connect(t, cluster.Settings(config.Plaintext, "")))
	t.Cleanup(reader.Close)

	// The clocks of producers are off. kafka-go's own reader gives their time.
	t.Run("the_time_of_records_is_the_brokers", func(t *testing.T) {
		for name, opts := range map[string][]kgo.Opt{
			"plain":          {kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.DisableIdempotentWrite()},
			"snappy":         {kgo.ProducerBatchCompression(kgo.SnappyCompression())},
			"zstd":           {kgo.ProducerBatchCompression(kgo.ZstdCompression())},
			"lz4":            {kgo.ProducerBatchCompression(kgo.Lz4Compression())},
			"gzip":           {kgo.ProducerBatchCompression(kgo.GzipCompression())},
			"not idempotent": {kgo.DisableIdempotentWrite()},
		} {
			t.Run(name, func(t *testing.T) {
				topic := "time." + fmt.Sprint(len(name)) + name[:2]
				cluster.create(t, topic, kafka.LogAppendTime)
				producer := cluster.other(t, topic, opts...)
				before := time.Now().Truncate(time.Millisecond)
				for _, skew := range []time.Duration{-30 * 24 * time.Hour, 2 * time.Hour, 0} {
					produce(t, producer, before.Add(skew), "{}", "{}")
				}
				after := time.Now()
				records := readAll(t, reader, topic, 0, 6, 1<<20)
				require.Len(t, records, 6)
				for i, one := range records {
					require.WithinRange(t, one.Time, before, after, "record %d", i)
				}
				for at, want := range map[time.Time]int64{before: 0, after.Add(time.Millisecond): -1} {
					offsets, err := reader.OffsetsAt(deadline(t), topic, 1, at)
					require.NoError(t, err)
					require.Equal(t, []int64{want}, offsets)
				}
			})
		}
	})

	t.Run("records_of_aborted_transactions_are_not_read", func(t *testing.T) {
		const topic = "transactions"
		cluster.create(t, topic, kafka.LogAppendTime)
		one, two := cluster.other(t, topic, kgo.TransactionalID("one")), cluster.other(t, topic, kgo.TransactionalID("two"))
		plain := cluster.other(t, topic)
		now := time.Now()
		// The broker writes the marker of an end some time after it has answered: offsets are as they come.
		offsets := map[string]int64{}
		require.NoError(t, one.BeginTransaction())
		require.NoError(t, two.BeginTransaction())
		produce(t, one, now, "aborted", "aborted")
		offsets["two"] = produce(t, two, now, "two")
		offsets["plain"] = produce(t, plain, now, "plain")
		produce(t, one, now, "aborted")
		require.NoError(t, one.EndTransaction(deadline(t), kgo.TryAbort))
		offsets["two again"] = produce(t, two, now, "two again")
		require.NoError(t, two.EndTransaction(deadline(t), kgo.TryCommit))
		require.NoError(t, one.BeginTransaction())
		offsets["one"] = produce(t, one, now, "one")
		require.NoError(t, one.EndTransaction(deadline(t), kgo.TryCommit))
		require.NoError(t, one.BeginTransaction())
		end := produce(t, one, now, "open")
		require.Eventually(t, func() bool {
			stable, err := reader.StableOffsets(deadline(t), topic, 1)
			return err == nil && stable[0] == end
		}, patience, 20*time.Millisecond)
		for from := range end {
			for _, maxBytes := range []int{1, 200, 1 << 20} {
				want, got := map[string]int64{}, map[string]int64{}
				for value, offset := range offsets {
					if offset >= from {
						want[value] = offset
					}
				}
				for _, record := range readAll(t, reader, topic, from, end, maxBytes) {
					got[string(record.Value)] = record.Offset
				}
				require.Equal(t, want, got, "from %d, %d bytes", from, maxBytes)
			}
		}
		require.NoError(t, one.EndTransaction(deadline(t), kgo.TryAbort))
	})

	t.Run("transactions_land_across_objects", func(t *testing.T) { cluster.landsTransactions(t, reader) })

	t.Run("a_topic_created_again_is_refused_until_accepted", func(t *testing.T) { cluster.refusesATopicCreatedAgain(t, reader) })

	t.Run("topics_are_created_compared_and_changed", func(t *testing.T) {
		admin := kafka.NewAdmin(connect(t, cluster.Settings(config.Plaintext, "")))
		cluster.create(t, "compared", nil)
		wanted := kafka.Topic{Name: "compared", Partitions: 3, Replication: 1, Config: map[string]string{"message.timestamp.type": "LogAppendTime", "retention.ms": "1209600000"}}
		missing, different, err := admin.CompareTopics(deadline(t), wanted, kafka.Topic{Name: "missing"})
		require.NoError(t, err)
		require.Equal(t, []string{"missing"}, missing)
		partitions := kafka.Difference{Topic: "compared", Setting: "partitions", Have: "1", Want: "3", Kept: true}
		require.Equal(t, []kafka.Difference{partitions,
			{Topic: "compared", Setting: "message.timestamp.type", Have: "CreateTime", Want: "LogAppendTime"},
			{Topic: "compared", Setting: "retention.ms", Have: "604800000", Want: "1209600000"},
		}, different)
		require.NoError(t, admin.ChangeTopics(deadline(t), different...))
		require.Eventually(t, func() bool {
			_, different, err = admin.CompareTopics(deadline(t), wanted)
			return err == nil && len(different) == 1 && different[0] == partitions
		}, patience, 20*time.Millisecond, "%v %v", different, err)
	})

	t.Run("secured_listeners", func(t *testing.T) { cluster.secured(t) })
}

// secured tests the listeners with TLS and SASL.
func (c *Cluster) secured(t *testing.T) {
	const topic, group = "secured.pin", "pinflow-landing"
	c.create(t, topic, kafka.LogAppendTime)
	all := []struct{ protocol, mechanism string }{
		{config.SSL, ""}, {config.SASLPlaintext, config.ScramSHA512}, {config.SASLPlaintext, config.Plain},
		{config.SASLSSL, config.ScramSHA512}, {config.SASLSSL, config.Plain},
	}
	scram := c.Settings(config.SASLSSL, config.ScramSHA512)

	t.Run("operations_that_are_not_allowed_are_named", func(t *testing.T) {
		admin := kafka.NewAdmin(connect(t, scram))
		found, err := admin.Permissions(deadline(t), []string{topic, "secured.none"}, group)
		require.NoError(t, err)
		require.True(t, found.Known)
		require.Equal(t, map[kafka.Operation]bool{}, found.Topics[topic], "it may not even be described")
		require.False(t, found.Group[kafka.Read])

		c.Allow(t, kmsg.ACLResourceTypeTopic, topic, kmsg.ACLOperationRead)
		c.Allow(t, kmsg.ACLResourceTypeGroup, group, kmsg.ACLOperationRead)
		require.Eventually(t, func() bool {
			found, err = admin.Permissions(deadline(t), []string{topic}, group)
			return err == nil && found.Group[kafka.Read] && found.Topics[topic][kafka.Read]
		}, patience, 20*time.Millisecond)
		require.True(t, found.Topics[topic][kafka.Describe])
		require.False(t, found.Topics[topic][kafka.Write])
		require.False(t, found.Topics[topic][kafka.AlterConfigs])
		err = use(t, scram, topic)
		require.Equal(t, fault.Unauthorized, fault.KindOf(err), "%v", err)
		require.ErrorContains(t, err, "starter doctor")
		c.Allow(t, kmsg.ACLResourceTypeTopic, topic, kmsg.ACLOperationWrite)
		require.Eventually(t, func() bool { return use(t, scram, topic) == nil }, patience, 20*time.Millisecond)
	})

	t.Run("take_and_give_records", func(t *testing.T) {
		for _, one := range all {
			t.Run(one.protocol+" "+one.mechanism, func(t *testing.T) {
				require.NoError(t, use(t, c.Settings(one.protocol, one.mechanism), topic))
				found, err := connect(t, c.Settings(one.protocol, one.mechanism)).Inspect(deadline(t))
				require.NoError(t, err)
				require.Equal(t, one.protocol, found.Protocol)
				if one.mechanism != "" {
					require.ElementsMatch(t, []string{config.ScramSHA512, config.Plain}, found.Mechanisms)
				}
			})
		}
	})

	t.Run("wrong_settings_are_named", func(t *testing.T) {
		for name, test := range map[string]struct {
			change func(*config.Config)
			kind   fault.Kind
			says   string
		}{
			"password":          {func(s *config.Config) { s.Kafka.Password = "other" }, fault.Unauthenticated, "PINFLOW_KAFKA_SASL_PASSWORD"},
			"user":              {func(s *config.Config) { s.Kafka.Username = "other" }, fault.Unauthenticated, "PINFLOW_KAFKA_SASL_USERNAME"},
			"password of PLAIN": {func(s *config.Config) { s.Kafka.Mechanism, s.Kafka.Password = config.Plain, "other" }, fault.Unauthenticated, "PINFLOW_KAFKA_SASL_PASSWORD"},
			"mechanism":         {func(s *config.Config) { s.Kafka.Mechanism = config.ScramSHA256 }, fault.Unauthenticated, "PINFLOW_KAFKA_SASL_MECHANISM"},
			"CA":                {func(s *config.Config) { s.Kafka.CAFile = "" }, fault.Unauthenticated, "PINFLOW_KAFKA_TLS_CA_FILE"},
			"no TLS":            {func(s *config.Config) { s.Kafka = config.Kafka{Protocol: config.Plaintext} }, fault.Unreachable, "PINFLOW_KAFKA_SECURITY_PROTOCOL"},
			"no SASL":           {func(s *config.Config) { s.Kafka = config.Kafka{Protocol: config.SSL, CAFile: s.Kafka.CAFile} }, fault.Unreachable, "PINFLOW_KAFKA_SECURITY_PROTOCOL"},
			"SASL for a listener without": {func(s *config.Config) {
				s.Brokers, s.Kafka.Protocol, s.Kafka.CAFile = c.Brokers(config.Plaintext), config.SASLPlaintext, ""
			}, fault.Unauthenticated, "PINFLOW_KAFKA_SECURITY_PROTOCOL"},
			"TLS for a listener without": {func(s *config.Config) { s.Brokers = c.Brokers(config.SASLPlaintext) }, fault.Unreachable, "PINFLOW_KAFKA_SECURITY_PROTOCOL"},
		} {
			t.Run(name, func(t *testing.T) {
				settings := scram
				test.change(&settings)
				err := use(t, settings, topic)
				require.ErrorContains(t, err, test.says)
				require.Equal(t, test.kind, fault.KindOf(err), "%v", err)
				require.NotContains(t, err.Error(), "make stack")
				t.Log(err)
			})
		}
	})
}

// use produces a record, reads it and commits, and returns the first error.
func use(t testing.TB, settings config.Config, topic string) error {
	t.Helper()
	connection, ctx := connect(t, settings), deadline(t)
	producer, err := kafka.NewProducer(kafka.ProducerConfig{Connection: connection})
	require.NoError(t, err)
	defer func() { require.NoError(t, producer.Close(ctx)) }()
	acks, err := producer.Produce(ctx, topic, []kafka.Message{{Value: []byte("{}")}})
	if err == nil {
		err = acks[0].Err
	}
	if err != nil {
		return kafka.Classify(err)
	}
	reader := kafka.NewReader(connection)
	defer reader.Close()
	if _, _, err = reader.Fetch(ctx, topic, 0, acks[0].Offset, 1<<20); err == nil {
		err = reader.CommitGroup(ctx, "pinflow-landing", topic, map[int]int64{0: acks[0].Offset + 1})
	}
	return kafka.Classify(err)
}
