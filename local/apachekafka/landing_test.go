//go:build conformance

package apachekafka

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// landedValues returns the values of the landed lines of a topic by their offsets, and requires that
// each is there once.
func landedValues(t testing.TB, objects *buckettest.Memory, topic string) map[int64]string {
	t.Helper()
	values := map[int64]string{}
	for _, key := range objects.Keys("topics/" + topic + "/") {
		body, err := objects.Get(context.Background(), key)
		require.NoError(t, err)
		for text := range strings.Lines(string(body)) {
			var line struct {
				Offset      int64
				Text, Value string
			}
			require.NoError(t, json.Unmarshal([]byte(text), &line))
			_, again := values[line.Offset]
			require.False(t, again, "offset %d landed twice", line.Offset)
			values[line.Offset] = line.Text + line.Value
		}
	}
	return values
}

// landings lands the topics of a cluster in small objects.
func (c *Cluster) landings(reader *kafka.Reader) (*landing.Activities, *buckettest.Memory) {
	objects := buckettest.New()
	return &landing.Activities{Kafka: reader, Objects: objects, Topics: run.Topics{UserID: "u"}, Group: "test-landing", ObjectRecords: 3, WarnOfGaps: true}, objects
}

// Producers commit and abort transactions whose records lie between each other's, over many objects. One
// is open when the date lands.
func (c *Cluster) landsTransactions(t *testing.T, reader *kafka.Reader) {
	const topic = "u.transactions"
	c.create(t, topic, kafka.LogAppendTime)
	var producers []*kgo.Client
	for _, id := range []string{"a", "b", "c"} { // the broker aborts what is open for longer
		producers = append(producers, c.other(t, topic, kgo.TransactionalID(id), kgo.TransactionTimeout(patience)))
	}
	plain, now := c.other(t, topic), time.Now()
	want, pending := map[int64]string{}, make([]map[int64]string, len(producers))
	for round := range 40 {
		n := round % len(producers)
		if pending[n] == nil {
			require.NoError(t, producers[n].BeginTransaction())
			pending[n] = map[int64]string{}
		}
		for i := range 1 + round%5 {
			value := fmt.Sprintf("%d of %d by %d", i, round, n)
			pending[n][produce(t, producers[n], now, value)] = value
		}
		value := fmt.Sprintf("plain %d", round)
		want[produce(t, plain, now, value)] = value
		if round%4 == 3 { // one of them ends, in turn by commit and by abort
			ends := (round / 4) % len(producers)
			if pending[ends] == nil {
				continue
			}
			how := kgo.TransactionEndTry(round%8 == 3)
			require.NoError(t, producers[ends].EndTransaction(deadline(t), how))
			if how == kgo.TryCommit {
				for offset, value := range pending[ends] {
					want[offset] = value
				}
			}
			pending[ends] = nil
		}
	}
	for n := range producers[:2] { // c has a transaction that stays open
		if pending[n] != nil {
			require.NoError(t, producers[n].EndTransaction(deadline(t), kgo.TryAbort))
			pending[n] = nil
		}
	}
	if pending[2] == nil {
		require.NoError(t, producers[2].BeginTransaction())
		pending[2] = map[int64]string{}
	}
	pending[2][produce(t, producers[2], now, "open")] = "open"
	open := int64(1 << 40)
	for offset := range pending[2] {
		open = min(open, offset)
	}
	require.Eventually(t, func() bool {
		stable, err := reader.StableOffsets(deadline(t), topic, 1)
		return err == nil && stable[0] == open
	}, patience, 20*time.Millisecond, "the planned end is the last stable offset")

	landings, objects := c.landings(reader)
	date := dates.Of(time.Now())
	land(t, landings, topic, date)
	before := map[int64]string{}
	for offset, value := range want {
		if offset < open {
			before[offset] = value
		}
	}
	require.Equal(t, before, landedValues(t, objects, topic))
	many := len(objects.Keys("topics/"))

	require.NoError(t, producers[2].EndTransaction(deadline(t), kgo.TryCommit))
	for offset, value := range pending[2] {
		want[offset] = value
	}
	last := produce(t, plain, now, "last")
	want[last] = "last"
	require.Eventually(t, func() bool { // the marker of the commit can come after the last record
		stable, err := reader.StableOffsets(deadline(t), topic, 1)
		return err == nil && stable[0] > last
	}, patience, 20*time.Millisecond)
	land(t, landings, topic, date)
	require.Equal(t, want, landedValues(t, objects, topic))
	t.Logf("%d records landed in %d objects, then %d in %d", len(before), many, len(want), len(objects.Keys("topics/")))
}

// A topic is deleted and created again, and has more records than before. Its last entry was the marker
// of a transaction.
func (c *Cluster) refusesATopicCreatedAgain(t *testing.T, reader *kafka.Reader) {
	const topic = "u.again"
	c.create(t, topic, kafka.LogAppendTime)
	transactional := c.other(t, topic, kgo.TransactionalID("again"))
	require.NoError(t, transactional.BeginTransaction())
	produce(t, transactional, time.Now(), "old", "old", "old")
	require.NoError(t, transactional.EndTransaction(deadline(t), kgo.TryCommit))
	require.Eventually(t, func() bool {
		stable, err := reader.StableOffsets(deadline(t), topic, 1)
		return err == nil && stable[0] == 4
	}, patience, 20*time.Millisecond)
	landings, objects := c.landings(reader)
	date := dates.Of(time.Now())
	require.EqualValues(t, 3, land(t, landings, topic, date))
	require.EqualValues(t, 3, land(t, landings, topic, date), "the same log")

	client := c.other(t, topic)
	request := kmsg.NewPtrDeleteTopicsRequest()
	request.TopicNames = []string{topic}
	one := kmsg.NewDeleteTopicsRequestTopic()
	one.Topic = kmsg.StringPtr(topic)
	request.Topics = append(request.Topics, one)
	answer, err := request.RequestWith(deadline(t), client)
	require.NoError(t, err)
	require.Zero(t, answer.Topics[0].ErrorCode)
	require.Eventually(t, func() bool {
		admin := kafka.NewAdmin(connect(t, c.Settings("PLAINTEXT", "")))
		created, err := admin.CreateTopics(deadline(t), kafka.Topic{Name: topic, Partitions: 1, Config: kafka.LogAppendTime})
		return err == nil && len(created) == 1
	}, patience, 100*time.Millisecond)
	values := make([]string, 15)
	for i := range values {
		values[i] = fmt.Sprintf("new %d", i)
	}
	produce(t, c.other(t, topic), time.Now(), values...)
	in := landing.PlanInput{Topic: "again", Date: date}
	require.Eventually(t, func() bool {
		_, err := try[landing.Plan](landings.PlanLanding, in)
		if err != nil && strings.Contains(err.Error(), "--accept-gaps") {
			require.ErrorContains(t, err, "partition 0 has at offset 3 another record")
			return true
		}
		require.Error(t, err)
		return false
	}, patience, 200*time.Millisecond)
	in.Accept = &landing.Acceptance{By: "ann", Reason: "created again"}
	plan, err := try[landing.Plan](landings.PlanLanding, in)
	require.NoError(t, err)
	require.Equal(t, []landing.Range{{Start: 4, End: 4}, {Generation: 1, End: 15}}, plan.Ranges)
	require.EqualValues(t, 18, land(t, landings, topic, date))
	require.Len(t, objects.Keys("generations/"), 1)
}
