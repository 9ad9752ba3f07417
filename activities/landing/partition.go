package landing

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	kafkago "github.com/segmentio/kafka-go"
	"go.temporal.io/sdk/activity"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/dates"
)

// partitionLanding lands one range.
type partitionLanding struct {
	*Activities
	topic string
	date  dates.Date
	Range
	at      int64 // the offset up to which done counts
	done    *atomic.Int64
	summary PartitionsSummary
}

func (p *partitionLanding) run(ctx context.Context) error {
	landed, err := p.landed(ctx, p.topic, p.date, partitionPrefix(p.topic, p.date, p.Partition))
	if err != nil {
		return err
	}
	next := p.countLanded(landed[p.Partition])
	for next < p.End && err == nil {
		p.reached(ctx, next)
		next, err = p.land(ctx, next)
	}
	p.reached(ctx, next)
	return err
}

// reached heartbeats that the range has landed up to an offset.
func (p *partitionLanding) reached(ctx context.Context, next int64) {
	done := p.done.Add(next - p.at)
	p.at = next
	activity.RecordHeartbeat(ctx, done)
}

// countLanded counts the existing objects of the range and returns the offset at which they end.
func (p *partitionLanding) countLanded(chain []Object) int64 {
	next := p.Start
	for _, object := range chain {
		if !object.Empty && object.Start == next && next < p.End {
			p.count(object)
			next = object.End
		}
	}
	return next
}

func (p *partitionLanding) count(object Object) {
	p.summary.Objects++
	p.summary.Records += object.Records
	p.summary.Bytes += object.Bytes
}

// land reads from an offset on and writes objects. It returns at the end of the range, or when an
// object of another writer ends elsewhere than its own would have: then reading continues at the
// returned offset.
func (p *partitionLanding) land(ctx context.Context, next int64) (int64, error) {
	reading, stop := context.WithCancel(ctx)
	batches, failed := p.read(reading, next)
	defer func() { // no fetch outlives the activity
		stop()
		for range batches {
		}
	}()
	object := newObjectWriter(p.topic, p.Partition, next, p.objectBytes(), p.objectRecords())
	for records := range batches {
		for _, record := range records {
			if object.add(record) {
				continue
			}
			end, err := p.put(ctx, object.finish(object.next))
			if err != nil || end != object.next {
				return end, err
			}
			object.reset(end)
			object.add(record) // an empty object takes any record
		}
		p.reached(ctx, object.next)
	}
	if err := <-failed; err != nil {
		return object.start, err
	}
	return p.put(ctx, object.finish(p.End))
}

// read fetches the range from an offset on, one batch ahead of the receiver. The error channel gets
// one value after the last batch.
func (p *partitionLanding) read(ctx context.Context, next int64) (<-chan []kafkago.Message, <-chan error) {
	batches, failed := make(chan []kafkago.Message, 1), make(chan error, 1)
	go func() {
		defer close(batches)
		for next < p.End {
			records, after, err := p.fetch(ctx, next)
			if err != nil {
				failed <- err
				return
			}
			for len(records) > 0 && records[len(records)-1].Offset >= p.End {
				records = records[:len(records)-1]
			}
			next = after
			select {
			case batches <- records:
			case <-ctx.Done():
				failed <- context.Cause(ctx)
				return
			}
		}
		failed <- nil
	}()
	return batches, failed
}

// errNoProgress is the error of a fetch that returns nothing although the range has not ended.
var errNoProgress = &fault.Error{
	Kind: fault.Unreachable, What: "Kafka returned no records", Next: "check the brokers", Err: errors.New("the topic has later offsets"),
}

// fetch returns records, or at least an offset further on. It retries errors that can pass.
func (p *partitionLanding) fetch(ctx context.Context, offset int64) (records []kafkago.Message, next int64, err error) {
	doing := fmt.Sprintf("read partition %d of %s from offset %d", p.Partition, p.topic, offset)
	err = p.retry(ctx, doing, p.done.Load(), func() error {
		records, next, err = p.Kafka.Fetch(ctx, p.topic, p.Partition, offset, fetchBytes)
		switch {
		case err == nil && next <= offset:
			return errNoProgress
		case errors.Is(err, kafkago.OffsetOutOfRange):
			return p.outOfRange(ctx, offset)
		}
		return err
	})
	if errors.Is(err, kafkago.UnknownTopicOrPartition) {
		if _, missing := p.partitions(ctx, p.topic); missing != nil { // the topic was deleted after the plan
			err = missing
		}
	}
	return records, next, err
}

// outOfRange returns the error for a planned offset that Kafka does not have.
func (p *partitionLanding) outOfRange(ctx context.Context, offset int64) error {
	first, err := p.Kafka.FirstOffsets(ctx, p.topic, p.Partition+1)
	if err != nil {
		return kafkaError(ctx, "get the first offsets of "+p.topic, err)
	}
	if left := (Range{Partition: p.Partition, Start: offset, End: p.End}); offset < first[p.Partition] {
		return offsetsGone(p.topic, p.date, describeGone(left, first[p.Partition]))
	}
	stable, err := p.Kafka.StableOffsets(ctx, p.topic, p.Partition+1)
	if err != nil {
		return kafkaError(ctx, "get the last offsets of "+p.topic, err)
	}
	if offset >= stable[p.Partition] {
		return replaced(p.topic, p.Partition, offset, stable[p.Partition])
	}
	return kafkaError(ctx, fmt.Sprintf("read partition %d of %s from offset %d", p.Partition, p.topic, offset), kafkago.OffsetOutOfRange)
}
