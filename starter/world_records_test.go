package main

import (
	"context"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// fakeRecords has topics of one partition: records of one time, of which retention has deleted those
// before an offset.
type fakeRecords struct {
	topics map[string]*fakeLog
	closed int
}

type fakeLog struct {
	first, end int64
	at         time.Time
	name       string // makes the records those of this log
}

func (f *fakeRecords) Close() { f.closed++ }

func (f *fakeRecords) Partitions(_ context.Context, topic string) (int, error) {
	if f.topics[topic] == nil {
		return 0, fmt.Errorf("%w: %s", kafka.ErrUnknownTopic, topic)
	}
	return 1, nil
}

func (f *fakeRecords) FirstOffsets(_ context.Context, topic string, _ int) ([]int64, error) {
	return []int64{f.topics[topic].first}, nil
}

func (f *fakeRecords) StableOffsets(_ context.Context, topic string, _ int) ([]int64, error) {
	return []int64{f.topics[topic].end}, nil
}

func (f *fakeRecords) OffsetsAt(_ context.Context, topic string, _ int, at time.Time) ([]int64, error) {
	log := f.topics[topic]
	if log.first == log.end || log.at.Before(at) {
		return []int64{-1}, nil
	}
	return []int64{log.first}, nil
}

func (f *fakeRecords) RecordAt(_ context.Context, topic string, _ int, offset int64) (kafkago.Message, bool, error) {
	log := f.topics[topic]
	if offset < log.first || offset >= log.end {
		return kafkago.Message{}, false, nil
	}
	return kafkago.Message{Offset: offset, Time: log.at, Value: []byte(log.name)}, true, nil
}

func (f *fakeRecords) Fetch(ctx context.Context, topic string, partition int, offset int64, _ int) ([]kafkago.Message, int64, error) {
	one, ok, err := f.RecordAt(ctx, topic, partition, offset)
	if err != nil || !ok {
		return nil, offset, err
	}
	return []kafkago.Message{one}, offset + 1, nil
}

func (f *fakeRecords) CommitGroup(context.Context, string, string, map[int]int64) error { return nil }
