package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

const (
	// maxBatchBytes is the most that a broker takes in one batch unless told otherwise: message.max.bytes, 1 MiB and a
	// header of the old format (https://kafka.apache.org/documentation/#brokerconfigs_message.max.bytes).
	maxBatchBytes = 1<<20 + 12
	// batchOverhead is the header of a record batch of format 2, and recordOverhead the most that the format adds to a
	// record's key and value (https://kafka.apache.org/documentation/#recordbatch): lengths, deltas, attributes.
	batchOverhead  = 61
	recordOverhead = 24
	// maxBatchRecords bounds what one refused batch can take with it.
	maxBatchRecords = 10_000

	// MaxMessageBytes is how large a message's key and value together may be, so that a broker with Kafka's default
	// settings takes it.
	MaxMessageBytes = maxBatchBytes - batchOverhead - recordOverhead

	defaultRequestTimeout  = 10 * time.Second
	defaultDeliveryTimeout = 20 * time.Second
	firstRetry, lastRetry  = 20 * time.Millisecond, 500 * time.Millisecond
	// resetPause is the least time between two times that the producer gives up its connections to learn of new leaders.
	resetPause = 50 * time.Millisecond
)

// AnyPartition leaves the choice of the partition to the producer: by the hash of the key, or in turn if there is no key.
const AnyPartition = -1

// Message is one record to produce. The bytes must not change until Produce has returned.
type Message struct {
	// Partition is a partition of the topic, or AnyPartition.
	Partition int
	// Key is nil if the record has none. Messages with one key keep their order.
	Key []byte
	// Value is nil for a tombstone.
	Value []byte
}

// Ack is what became of one message: its place in the log, or why it has none.
type Ack struct {
	Partition int
	Offset    int64
	// Err is ErrTooLarge, a broker's refusal, or, if no broker acknowledged the message in time, what went wrong last.
	// In the last case the message may be in the log all the same. Classify tells which.
	Err error
}

// Batch tells an observer of one produce request.
type Batch struct {
	Topic     string
	Partition int
	Records   int
	Bytes     int
	Took      time.Duration
	Err       error
}

// ProducerConfig is what a producer needs. Zero values are the defaults.
type ProducerConfig struct {
	Connection
	// RequestTimeout limits one request to a broker: 10 s.
	RequestTimeout time.Duration
	// DeliveryTimeout limits how long a message is tried: 20 s.
	DeliveryTimeout time.Duration
	// OnBatch, if not nil, is called after each produce request. It must be quick and safe for concurrent use.
	OnBatch func(Batch)
}

// Producer writes messages to Kafka and answers with their offsets once all in-sync replicas have them (acks=all).
//
// Delivery is at least once: a request whose answer is lost is repeated, and what it wrote then stands twice.
// The order of messages within a partition is kept, within a call of Produce and from one call to the next: a partition has one
// request on its way at a time. What arrives meanwhile joins the next request, which makes batches under load and costs
// no waiting without. A call blocks until its messages have ended, so what is queued is bounded by what callers hold.
type Producer struct {
	config    ProducerConfig
	cluster   *cluster
	transport *kafkago.Transport
	client    *kafkago.Client
	turn      atomic.Uint32 // of messages without a key

	resetting sync.Mutex
	lastReset time.Time

	mu     sync.Mutex
	lanes  map[laneID]*lane
	closed bool
	calls  sync.WaitGroup
}

// NewProducer makes a producer. It connects with the first request.
func NewProducer(config ProducerConfig) (*Producer, error) {
	if len(config.Brokers) == 0 {
		return nil, errors.New("no Kafka brokers: set PINFLOW_KAFKA_BROKERS to host:port, comma-separated")
	}
	if config.RequestTimeout == 0 {
		config.RequestTimeout = defaultRequestTimeout
	}
	if config.DeliveryTimeout == 0 {
		config.DeliveryTimeout = defaultDeliveryTimeout
	}
	transport := config.transport()
	return &Producer{
		config:    config,
		cluster:   newCluster(config.Connection),
		transport: transport,
		client:    config.client(transport, config.RequestTimeout),
		lanes:     map[laneID]*lane{},
	}, nil
}

// Produce writes the messages and returns an Ack for each, in their order.
//
// An error means that no message has been sent: ErrUnknownTopic, ErrUnknownPartition, ErrUnreachable or ErrClosed.
// When ctx ends, messages that no broker has acknowledged are given up.
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

// assign gives each message its partition, as Kafka's own clients do: the one it asks for, that of its key's murmur2 hash,
// or, for the messages without a key, one for all those of a call, and the next for the next call.
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

// Topics returns the names of the cluster's topics and their partition counts, at most a second old.
func (p *Producer) Topics(ctx context.Context) ([]TopicInfo, error) {
	known, err := p.cluster.layoutSince(ctx, time.Now().Add(-time.Second))
	if err != nil {
		return nil, err
	}
	return known.infos(), nil
}

// Ping returns nil if a broker answers, or has answered within the last second.
func (p *Producer) Ping(ctx context.Context) error {
	_, err := p.cluster.layoutSince(ctx, time.Now().Add(-time.Second))
	return err
}

// Queued counts the messages that wait until the request before them has been answered.
func (p *Producer) Queued() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	queued := 0
	for _, l := range p.lanes {
		queued += l.len()
	}
	return queued
}

// Close refuses further calls, waits until those under way have ended, and gives up the connections.
// It returns the context's error if that ends first.
func (p *Producer) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	ended := make(chan struct{})
	go func() { p.calls.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		return fmt.Errorf("messages were still on their way to Kafka: %w", context.Cause(ctx))
	}
	p.transport.CloseIdleConnections()
	p.cluster.close()
	return nil
}

// lane returns the partition's lane, made at its first use.
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

// reset makes the next request look for the partitions' leaders anew. kafka-go has no call for it: its picture of the cluster
// goes with the pool of connections. Requests that are on their way keep theirs.
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
