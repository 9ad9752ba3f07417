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
	next := p.countLanded(ofGeneration(landed[p.Partition], p.Generation))
	for next < p.End && err == nil {
		p.reached(ctx, next)
		if lost, ok := p.lostAt(next); ok {
			next, err = p.putLost(ctx, lost)
		} else {
			next, err = p.land(ctx, next, p.availableTo(next))
		}
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
	if object.Lost != "" {
		return
	}
	p.summary.Objects++
	p.summary.Records += object.Records
	p.summary.Bytes += object.Bytes
}

// land reads the offsets [next, end) and writes objects. It returns at the end, after offsets that Kafka
// lost meanwhile, or when an object of another writer ends elsewhere than its own would have: then
// reading continues at the returned offset.
func (p *partitionLanding) land(ctx context.Context, next, end int64) (int64, error) {
	reading, stop := context.WithCancel(ctx)
	batches, failed := p.read(reading, next, end)
	defer func() { // no fetch outlives the activity
		stop()
		for range batches {
		}
	}()
	object := newObjectWriter(p.topic, p.Range, next, p.objectBytes(), p.objectRecords())
	for records := range batches {
		for _, record := range records {
			if object.add(record) {
				continue
			}
			put, err := p.put(ctx, object.finish(object.next))
			if err != nil || put != object.next {
				return put, err
			}
			object.reset(put)
			object.add(record) // an empty object takes any record
		}
		p.reached(ctx, object.next)
	}
	err := <-failed
	var gone *lostError
	switch {
	case errors.As(err, &gone) && object.records > 0:
		return p.put(ctx, object.finish(object.next)) // and then again from there
	case errors.As(err, &gone):
		return p.putLost(ctx, Lost{Start: object.start, End: gone.End, Cause: gone.Cause})
	case err != nil:
		return object.start, err
	}
	last := object.finish(end)
	if err := p.identifyEnd(ctx, &last); err != nil {
		return object.start, err
	}
	return p.put(ctx, last)
}

// identifyEnd sets the fingerprint of an object whose range does not end with a record to that of the
// marker at the end, if there is one.
func (p *partitionLanding) identifyEnd(ctx context.Context, object *pendingObject) error {
	if object.Last != nil && object.Last.Offset == object.End-1 {
		return nil
	}
	doing := fmt.Sprintf("read partition %d of %s at offset %d", p.Partition, p.topic, object.End-1)
	return p.retry(ctx, doing, p.done.Load(), func() error {
		marker, found, err := p.Kafka.RecordAt(ctx, p.topic, p.Partition, object.End-1)
		if found {
			last := fingerprint(marker)
			object.Last = &last
		}
		return err
	})
}

// read fetches the offsets [next, end), one batch ahead of the receiver. The error channel gets one
// value after the last batch.
func (p *partitionLanding) read(ctx context.Context, next, end int64) (<-chan []kafkago.Message, <-chan error) {
	batches, failed := make(chan []kafkago.Message, 1), make(chan error, 1)
	go func() {
		defer close(batches)
		for next < end {
			records, after, err := p.fetch(ctx, next)
			if err != nil {
				failed <- err
				return
			}
			for len(records) > 0 && records[len(records)-1].Offset >= end {
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

// fetch returns records, or at least an offset further on. It retries errors that can pass; a
// *lostError is for offsets that Kafka no longer has.
func (p *partitionLanding) fetch(ctx context.Context, offset int64) (records []kafkago.Message, next int64, err error) {
	doing := fmt.Sprintf("read partition %d of %s from offset %d", p.Partition, p.topic, offset)
	var gone *lostError
	err = p.retry(ctx, doing, p.done.Load(), func() error {
		records, next, err = p.Kafka.Fetch(ctx, p.topic, p.Partition, offset, fetchBytes)
		switch {
		case err == nil && next <= offset:
			return errNoProgress
		case errors.Is(err, kafkago.OffsetOutOfRange):
			gone, err = p.outOfRange(ctx, offset)
		}
		return err
	})
	if errors.Is(err, kafkago.UnknownTopicOrPartition) {
		if _, missing := p.partitions(ctx, p.topic); missing != nil { // the topic was deleted after the plan
			err = missing
		}
	}
	if err == nil && gone != nil {
		err = gone
	}
	return records, next, err
}

// outOfRange returns what is lost from a planned offset on that Kafka does not have, or the error if
// it is not lost.
func (p *partitionLanding) outOfRange(ctx context.Context, offset int64) (*lostError, error) {
	first, err := p.Kafka.FirstOffsets(ctx, p.topic, p.Partition+1)
	if err != nil {
		return nil, kafkaError(ctx, "get the first offsets of "+p.topic, err)
	}
	if offset < first[p.Partition] {
		return &lostError{Lost{Start: offset, End: min(first[p.Partition], p.End), Cause: Expired}}, nil
	}
	stable, err := p.Kafka.StableOffsets(ctx, p.topic, p.Partition+1)
	if err != nil {
		return nil, kafkaError(ctx, "get the last offsets of "+p.topic, err)
	}
	if offset >= stable[p.Partition] {
		replaced := &replacedError{p.topic, []mismatch{*endsBefore(p.Partition, offset+1, stable[p.Partition])}}
		return nil, replaced.final(PlanInput{Date: p.date})
	}
	return nil, kafkaError(ctx, fmt.Sprintf("read partition %d of %s from offset %d", p.Partition, p.topic, offset), kafkago.OffsetOutOfRange)
}
