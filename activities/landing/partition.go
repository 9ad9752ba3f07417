package landing

import (
	"context"
	"errors"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/dates"
)

const (
	// fetchAttempts and fetchPause bound how long a fetch is repeated in place, about six seconds: a moving leader or a lost
	// connection costs less so than a new attempt of the activity, which reads the current object from its start again.
	fetchAttempts = 7
	fetchPause    = 100 * time.Millisecond
)

// LandPartition lands the offsets of a range as objects, each record exactly once, and returns what the range's objects hold,
// those included that an earlier attempt or another worker wrote.
func (l *Activities) LandPartition(ctx context.Context, in PartitionInput) (PartitionSummary, error) {
	p := &partitionLanding{
		Activities: l, topic: in.Topic, date: in.Date, Range: in.Range,
		summary: PartitionSummary{Partition: in.Range.Partition},
	}
	landed, err := l.landed(ctx, in.Topic, in.Date, partitionPrefix(in.Topic, in.Date, in.Range.Partition))
	if err != nil {
		return PartitionSummary{}, err
	}
	next := p.follow(landed[in.Range.Partition])
	for next < in.Range.End && err == nil {
		activity.RecordHeartbeat(ctx, next)
		next, err = p.land(ctx, next)
	}
	return p.summary, err
}

// partitionLanding is one run of LandPartition.
type partitionLanding struct {
	*Activities
	topic string
	date  dates.Date
	Range
	summary PartitionSummary
}

// follow counts the objects that exist from the range's start on, and returns where they end.
func (p *partitionLanding) follow(chain []Object) int64 {
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

// land reads from an offset on and writes objects until the range ends, or until it meets an object of another writer that ends
// elsewhere than its own would have. It returns the offset at which to go on.
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
		activity.RecordHeartbeat(ctx, object.next)
	}
	if err := <-failed; err != nil {
		return object.start, err
	}
	return p.put(ctx, object.finish(p.End))
}

// read fetches the range from an offset on, one batch ahead of who takes them. The error channel gets one value after the last batch.
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

// errStuck is a fetch that brings nothing although the range goes on.
var errStuck = errors.New("the broker has no records at the offset, but says that it should")

// fetch brings the next records, or at least gets further. What passes by itself is tried again here.
func (p *partitionLanding) fetch(ctx context.Context, offset int64) ([]kafkago.Message, int64, error) {
	pause := fetchPause
	for attempt := 1; ; attempt++ {
		records, next, err := p.Kafka.Fetch(ctx, p.topic, p.Partition, offset, fetchBytes)
		if err == nil && next > offset {
			return records, next, nil
		}
		if err == nil {
			err = errStuck
		}
		if errors.Is(err, kafkago.OffsetOutOfRange) {
			return nil, 0, p.outOfRange(ctx, offset)
		}
		err = kafkaError(ctx, fmt.Sprintf("read partition %d of %s from offset %d", p.Partition, p.topic, offset), err)
		var judged *temporal.ApplicationError
		if attempt == fetchAttempts || ctx.Err() != nil || errors.As(err, &judged) {
			return nil, 0, err
		}
		activity.RecordHeartbeat(ctx, offset)
		activity.GetLogger(ctx).Warn("Fetch failed, trying again.", "error", err, "attempt", attempt)
		if err := p.clock.Sleep(ctx, pause); err != nil {
			return nil, 0, err
		}
		pause *= 2
	}
}

// outOfRange says why Kafka does not have an offset that was planned.
func (p *partitionLanding) outOfRange(ctx context.Context, offset int64) error {
	first, err := p.Kafka.FirstOffsets(ctx, p.topic, p.Partition+1)
	if err != nil {
		return kafkaError(ctx, "ask for the first offsets of "+p.topic, err)
	}
	if left := (Range{Partition: p.Partition, Start: offset, End: p.End}); offset < first[p.Partition] {
		return offsetsGone(p.topic, p.date, describeGone(left, first[p.Partition]))
	}
	stable, err := p.Kafka.StableOffsets(ctx, p.topic, p.Partition+1)
	if err != nil {
		return kafkaError(ctx, "ask for the last offsets of "+p.topic, err)
	}
	if offset >= stable[p.Partition] {
		return replaced(p.topic, p.Partition, offset, stable[p.Partition])
	}
	return kafkaError(ctx, fmt.Sprintf("read partition %d of %s from offset %d", p.Partition, p.topic, offset), kafkago.OffsetOutOfRange)
}
