package landing

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sort"
	"strconv"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// broker is a Kafka cluster in memory.
type broker struct {
	mu        sync.Mutex
	topics    map[string][]*partitionLog
	marked    int                                  // counts markers
	fetchSize int                                  // most records of a fetch; 0 is all
	fault     func(request, topic string) error    // may fail a request
	committed map[string]map[int]int64             // by topic
	fetched   []int64                              // the offsets that were fetched
	onFetch   func(topic string, partition, n int) // called before the n-th fetch
}

// partitionLog is a partition: records in the order of their offsets, between first and end.
// Offsets may be missing.
type partitionLog struct {
	records    []kafkago.Message
	markers    []kafkago.Message // at offsets that have no record
	first, end int64
}

func newBroker(topic string, partitions int) *broker {
	b := &broker{topics: map[string][]*partitionLog{}, committed: map[string]map[int]int64{}}
	for range partitions {
		b.addPartition(topic)
	}
	return b
}

func (b *broker) addPartition(topic string) {
	b.topics[topic] = append(b.topics[topic], &partitionLog{})
}

func (b *broker) produce(topic string, partition int, at time.Time, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	log := b.topics[topic][partition]
	log.records = append(log.records, kafkago.Message{Offset: log.end, Time: at, Key: []byte("k"), Value: []byte(value)})
	log.end++
}

// skip leaves offsets without records, as transaction markers do.
func (b *broker) skip(topic string, partition int, offsets int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	log := b.topics[topic][partition]
	for range offsets {
		b.marked++
		log.markers = append(log.markers, kafkago.Message{Offset: log.end, Value: []byte(strconv.Itoa(b.marked))})
		log.end++
	}
}

// replace deletes the topic and creates it again, with as many partitions.
func (b *broker) replace(topic string, partitions int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.topics[topic] = nil
	for range partitions {
		b.addPartition(topic)
	}
}

// truncate cuts a partition off at an offset, as an unclean leader election does.
func (b *broker) truncate(topic string, partition int, end int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	log := b.topics[topic][partition]
	log.end = max(log.first, min(log.end, end))
	cut := func(r kafkago.Message) bool { return r.Offset >= log.end }
	log.records, log.markers = slices.DeleteFunc(log.records, cut), slices.DeleteFunc(log.markers, cut)
}

// expire deletes the records before an offset, as retention does.
func (b *broker) expire(topic string, partition int, before int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	log := b.topics[topic][partition]
	log.first = before
	log.end = max(log.end, before)
	log.markers = slices.DeleteFunc(log.markers, func(r kafkago.Message) bool { return r.Offset < before })
	log.records = slices.DeleteFunc(log.records, func(r kafkago.Message) bool { return r.Offset < before })
}

func (b *broker) ask(request, topic string) ([]*partitionLog, error) {
	if b.fault != nil {
		if err := b.fault(request, topic); err != nil {
			return nil, err
		}
	}
	logs, ok := b.topics[topic]
	if !ok {
		return nil, kafkago.UnknownTopicOrPartition
	}
	return logs, nil
}

func (b *broker) Partitions(_ context.Context, topic string) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	logs, err := b.ask("partitions", topic)
	if errors.Is(err, kafkago.UnknownTopicOrPartition) {
		err = errors.Join(kafka.ErrUnknownTopic, err) // as the client does: the metadata lacks the topic
	}
	return len(logs), err
}

func (b *broker) offsets(request, topic string, partitions int, pick func(*partitionLog) int64) ([]int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	logs, err := b.ask(request, topic)
	if err != nil || partitions > len(logs) {
		return nil, errors.Join(err, kafkago.UnknownTopicOrPartition)
	}
	offsets := make([]int64, partitions)
	for i := range offsets {
		offsets[i] = pick(logs[i])
	}
	return offsets, nil
}

func (b *broker) FirstOffsets(_ context.Context, topic string, partitions int) ([]int64, error) {
	return b.offsets("first", topic, partitions, func(p *partitionLog) int64 { return p.first })
}

func (b *broker) StableOffsets(_ context.Context, topic string, partitions int) ([]int64, error) {
	return b.offsets("stable", topic, partitions, func(p *partitionLog) int64 { return p.end })
}

func (b *broker) OffsetsAt(_ context.Context, topic string, partitions int, at time.Time) ([]int64, error) {
	return b.offsets("at", topic, partitions, func(p *partitionLog) int64 {
		for _, record := range p.records {
			if !record.Time.Before(at) {
				return record.Offset
			}
		}
		return -1
	})
}

func (b *broker) Fetch(ctx context.Context, topic string, partition int, offset int64, _ int) ([]kafkago.Message, int64, error) {
	if ctx.Err() != nil {
		return nil, 0, ctx.Err()
	}
	b.mu.Lock()
	b.fetched = append(b.fetched, offset)
	if b.onFetch != nil {
		count, hook := len(b.fetched), b.onFetch
		b.mu.Unlock()
		hook(topic, partition, count)
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	logs, err := b.ask("fetch", topic)
	if err != nil {
		return nil, 0, err
	}
	log := logs[partition]
	if offset < log.first || offset > log.end {
		return nil, 0, kafkago.OffsetOutOfRange
	}
	start := sort.Search(len(log.records), func(i int) bool { return log.records[i].Offset >= offset })
	records := log.records[start:]
	if b.fetchSize > 0 && len(records) > b.fetchSize {
		records = records[:b.fetchSize]
		return slices.Clone(records), records[len(records)-1].Offset + 1, nil
	}
	return slices.Clone(records), log.end, nil
}

func (b *broker) RecordAt(_ context.Context, topic string, partition int, offset int64) (kafkago.Message, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	logs, err := b.ask("record", topic)
	if err != nil || partition >= len(logs) {
		return kafkago.Message{}, false, errors.Join(err, kafkago.UnknownTopicOrPartition)
	}
	for _, record := range slices.Concat(logs[partition].records, logs[partition].markers) {
		if record.Offset == offset {
			return record, true, nil
		}
	}
	return kafkago.Message{}, false, nil
}

func (b *broker) CommitGroup(_ context.Context, _, topic string, offsets map[int]int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault != nil {
		if err := b.fault("commit", topic); err != nil {
			return err
		}
	}
	b.committed[topic] = maps.Clone(offsets)
	return nil
}
