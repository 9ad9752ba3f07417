package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

const (
	// maxBatchBytes is the default of message.max.bytes: 1 MiB and a header of the old format
	// (https://kafka.apache.org/documentation/#brokerconfigs_message.max.bytes).
	maxBatchBytes = 1<<20 + 12
	// batchOverhead is the size of the header of a record batch of format 2, recordOverhead the
	// maximum that the format adds to the key and value of a record
	// (https://kafka.apache.org/documentation/#recordbatch).
	batchOverhead  = 61
	recordOverhead = 24
	// maxBatchRecords limits how many records one rejected batch concerns.
	maxBatchRecords = 10_000

	// MaxMessageBytes is the maximum size of the key and value of a message together under Kafka's
	// default settings.
	MaxMessageBytes = maxBatchBytes - batchOverhead - recordOverhead

	defaultRequestTimeout  = 10 * time.Second
	defaultDeliveryTimeout = 20 * time.Second
	firstRetry, lastRetry  = 20 * time.Millisecond, 500 * time.Millisecond
	// resetPause is the minimum time between two resets of the connections.
	resetPause = 50 * time.Millisecond
)

// AnyPartition makes the producer choose the partition: by the hash of the key, or round robin if
// there is no key.
const AnyPartition = -1

// Message is one record to produce. The bytes must not change until Produce has returned.
type Message struct {
	// Partition is a partition of the topic, or AnyPartition.
	Partition int
	// Key is nil if the record has none. Messages with the same key keep their order.
	Key []byte
	// Value is nil for a tombstone.
	Value []byte
}

// Ack is the result of one message: its partition and offset, or its error.
type Ack struct {
	Partition int
	Offset    int64
	// Err is ErrTooLarge, the rejection of a broker, the last error if no broker took the message in
	// time, or ErrUnknownOutcome if one may have written it. Classify distinguishes them.
	Err error
}

// Batch describes one produce request.
type Batch struct {
	Topic     string
	Partition int
	Records   int
	Bytes     int
	Took      time.Duration
	Err       error
}

// ProducerConfig configures a producer. The zero value of each field is its default.
type ProducerConfig struct {
	Connection
	// RequestTimeout limits one request to a broker; 10 s by default.
	RequestTimeout time.Duration
	// DeliveryTimeout limits the delivery of a message with all retries; 20 s by default.
	DeliveryTimeout time.Duration
	// OnBatch, if not nil, is called after each produce request. It must be quick and safe for
	// concurrent use.
	OnBatch func(Batch)
}

// Producer writes messages to Kafka and returns their offsets once all in-sync replicas have them
// (acks=all).
//
// A message is written once, or not at all if its Ack has an error other than ErrUnknownOutcome: a
// request whose response is lost is repeated under the same producer id and sequence number, which
// brokers write once. Where a user may not get a producer id, such a request is not repeated, and the
// outcome is unknown. Messages of a partition keep their order, within a call of Produce and from one call to
// the next, because each partition has one open request at a time. Messages that arrive meanwhile
// form the next request: batches grow under load, and without load nothing waits. A call blocks
// until its messages are done, so that the callers limit the queue.
type Producer struct {
	config    ProducerConfig
	cluster   *cluster
	transport *kafkago.Transport
	client    *kafkago.Client
	readiness readiness
	turn      atomic.Uint32 // round robin of messages without a key

	resetting sync.Mutex
	lastReset time.Time

	mu     sync.Mutex
	lanes  map[laneID]*lane
	closed bool
	calls  sync.WaitGroup
}

// NewProducer returns a producer. It connects with the first request.
func NewProducer(config ProducerConfig) (*Producer, error) {
	if len(config.Brokers) == 0 {
		return nil, errors.New("no Kafka brokers: set PINFLOW_KAFKA_BROKERS to host:port, comma-separated")
	}
	config.RequestTimeout = cmp.Or(config.RequestTimeout, defaultRequestTimeout)
	config.DeliveryTimeout = cmp.Or(config.DeliveryTimeout, defaultDeliveryTimeout)
	transport := config.transport()
	return &Producer{
		config:    config,
		cluster:   newCluster(config.Connection),
		transport: transport,
		client:    config.client(transport, config.RequestTimeout),
		readiness: readiness{transport: config.transport()},
		lanes:     map[laneID]*lane{},
	}, nil
}

// Produce writes the messages and returns an Ack for each, in their order.
//
// An error means that no message has been sent: ErrUnknownTopic, ErrUnknownPartition,
// ErrUnreachable or ErrClosed. When ctx ends, messages that no broker has acknowledged fail.
func (p *Producer) Produce(ctx context.Context, topic string, messages []Message) ([]Ack, error) {
	if !p.enter() {
		return nil, ErrClosed
	}
	defer p.calls.Done()
	ctx, cancel := context.WithTimeout(ctx, p.config.DeliveryTimeout)
	defer cancel()
	partitions, err := p.cluster.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	acks := make([]Ack, len(messages))
	if err := p.assign(messages, acks, topic, partitions); err != nil {
		return nil, err
	}

	var waiting sync.WaitGroup
	perLane := make([][]*entry, partitions)
	entries := make([]entry, len(messages))
	for i := range messages {
		if size(&messages[i]) > MaxMessageBytes {
			acks[i].Err = fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, size(&messages[i]), MaxMessageBytes)
			continue
		}
		waiting.Add(1)
		entries[i] = entry{ctx: ctx, message: &messages[i], ack: &acks[i], done: waiting.Done}
		perLane[acks[i].Partition] = append(perLane[acks[i].Partition], &entries[i])
	}
	for partition, batch := range perLane {
		if len(batch) > 0 {
			p.lane(topic, partition).add(batch)
		}
	}
	waiting.Wait()
	return acks, nil
}

// enter counts the call, so that Close waits for it, unless the producer is closed.
func (p *Producer) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.calls.Add(1)
	return true
}

// assign sets the partition of each message as Kafka's own clients do: the one that it names, that
// of the murmur2 hash of its key, or round robin for the messages without a key of one call.
func (p *Producer) assign(messages []Message, acks []Ack, topic string, partitions int) error {
	all := make([]int, partitions)
	for i := range all {
		all[i] = i
	}
	byKey := kafkago.Murmur2Balancer{}
	unkeyed := int(p.turn.Add(1) % uint32(partitions))
	for i, m := range messages {
		switch {
		case m.Partition >= partitions || m.Partition < AnyPartition:
			return fmt.Errorf("%w: topic %s has %d partitions, there is no partition %d", ErrUnknownPartition, topic, partitions, m.Partition)
		case m.Partition != AnyPartition:
			acks[i].Partition = m.Partition
		case m.Key == nil:
			acks[i].Partition = unkeyed
		default:
			acks[i].Partition = byKey.Balance(kafkago.Message{Key: m.Key}, all...)
		}
	}
	return nil
}

// Topics returns the names of the cluster's topics and their partition counts, at most a second
// old.
func (p *Producer) Topics(ctx context.Context) ([]TopicInfo, error) {
	known, err := p.cluster.layoutSince(ctx, time.Now().Add(-time.Second))
	if err != nil {
		return nil, err
	}
	return known.infos(), nil
}

// Queued returns the number of messages that wait for an earlier request of their partition.
func (p *Producer) Queued() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	queued := 0
	for _, l := range p.lanes {
		queued += l.len()
	}
	return queued
}

// Close rejects further calls, waits for the open ones, and closes the connections. It returns an
// error if the context ends first.
func (p *Producer) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	ended := make(chan struct{})
	go func() { p.calls.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		return fmt.Errorf("closed before all messages were delivered: %w", context.Cause(ctx))
	}
	p.transport.CloseIdleConnections()
	p.readiness.transport.CloseIdleConnections()
	p.cluster.close()
	return nil
}

// lane returns the lane of a partition, which it creates at its first use.
func (p *Producer) lane(topic string, partition int) *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := laneID{topic, partition}
	l, ok := p.lanes[id]
	if !ok {
		l = &lane{producer: p, id: id}
		p.lanes[id] = l
	}
	return l
}

// reset makes the next request look up the leaders of partitions again. In kafka-go the metadata
// belongs to the pool of connections, so reset closes idle ones; open requests are not affected.
func (p *Producer) reset() {
	p.resetting.Lock()
	defer p.resetting.Unlock()
	if time.Since(p.lastReset) < resetPause {
		return
	}
	p.lastReset = time.Now()
	p.transport.CloseIdleConnections()
}

func size(m *Message) int { return len(m.Key) + len(m.Value) }
