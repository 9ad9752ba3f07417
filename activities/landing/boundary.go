package landing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
)

// maxAhead is how far ahead of the worker's clock a record's time may be and still end a date: what Kafka's
// message.timestamp.after.max.ms allows by default. A record stamped next year would otherwise end every date until then.
const maxAhead = time.Hour

// boundary is where a date ends: of each partition the first offset that belongs to a later date. As JSON {"0":123}.
// It is written once, with If-None-Match: *, and everybody reads the same.
type boundary map[int]int64

// at is the boundary of a partition. One that was added later has none: all its records belong to later dates.
func (b boundary) at(partition int) int64 { return b[partition] }

// boundaries fixes the boundaries of one topic.
//
// A boundary is the first offset with a time at or after the date's end; if there is none yet, it is the last stable offset.
// That last case depends on the moment, so it must not happen for one date while another worker fixes an earlier or later one.
// Therefore the newest date that is over is always fixed first. What lies before its boundary never changes again, so the
// boundary of any earlier date is the same for everybody who computes it, in whatever order and however parallel.
type boundaries struct {
	kafka      Kafka
	objects    bucket.Objects
	topic      string
	partitions int
	now        time.Time
}

// of returns the boundary of a date that is over. If it is not fixed yet, this fixes it.
func (b *boundaries) of(ctx context.Context, date dates.Date) (boundary, error) {
	fixed, err := b.read(ctx, date)
	if !errors.Is(err, bucket.ErrNotFound) {
		return fixed, err
	}
	if newest := dates.Of(b.now).Add(-1); date < newest {
		if _, err := b.of(ctx, newest); err != nil {
			return nil, err
		}
	}
	computed, err := b.compute(ctx, date)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(computed)
	if err != nil {
		return nil, fmt.Errorf("boundary of %s: %w", b.topic, err)
	}
	err = b.objects.Put(ctx, bucket.PutInput{Key: boundaryKey(b.topic, date), Body: body, OnlyNew: true})
	if errors.Is(err, bucket.ErrExists) {
		return b.read(ctx, date) // another planner was first: its boundary counts
	}
	return computed, s3Error(ctx, "write boundary "+boundaryKey(b.topic, date), err)
}

func (b *boundaries) read(ctx context.Context, date dates.Date) (boundary, error) {
	key := boundaryKey(b.topic, date)
	body, err := b.objects.Get(ctx, key)
	if errors.Is(err, bucket.ErrNotFound) {
		return nil, err
	}
	if err != nil {
		return nil, s3Error(ctx, "read boundary "+key, err)
	}
	fixed := boundary{}
	if err := json.Unmarshal(body, &fixed); err != nil {
		return nil, failure.NonRetryable(failure.Contradiction, err, "boundary %s cannot be read: restore it, or delete it if nothing of %s and the next date has been landed: %v",
			b.objects.URI(key), date, err)
	}
	return fixed, nil
}

// compute finds the boundary in Kafka, between the fixed boundaries on both sides.
func (b *boundaries) compute(ctx context.Context, date dates.Date) (boundary, error) {
	// The stable offsets come first: a record that arrives between the questions then lies behind them.
	stable, err := b.kafka.StableOffsets(ctx, b.topic, b.partitions)
	if err != nil {
		return nil, kafkaError(ctx, "ask for the last offsets of "+b.topic, err)
	}
	starts, err := b.offsetsAt(ctx, date.End())
	if err != nil {
		return nil, err
	}
	ahead, err := b.offsetsAt(ctx, b.now.Add(maxAhead))
	if err != nil {
		return nil, err
	}
	earlier, later, err := b.neighbours(ctx, date)
	if err != nil {
		return nil, err
	}
	if err := b.holds(earlier, stable); err != nil {
		return nil, err
	}
	computed := make(boundary, b.partitions)
	for partition := range b.partitions {
		end := starts[partition]
		if end < 0 || end == ahead[partition] {
			end = stable[partition]
		}
		if later != nil {
			end = min(end, later.at(partition))
		}
		computed[partition] = max(end, earlier.at(partition))
	}
	return computed, nil
}

// holds fails if the topic does not reach a boundary that was fixed before, or lacks a partition of it.
func (b *boundaries) holds(fixed boundary, stable []int64) error {
	for partition, offset := range fixed {
		end := int64(0)
		if partition < len(stable) {
			end = stable[partition]
		}
		if end < offset {
			return replaced(b.topic, partition, offset, end)
		}
	}
	return nil
}

func (b *boundaries) offsetsAt(ctx context.Context, at time.Time) ([]int64, error) {
	offsets, err := b.kafka.OffsetsAt(ctx, b.topic, b.partitions, at)
	return offsets, kafkaError(ctx, "ask for the offsets of "+b.topic+" at "+at.Format(time.RFC3339), err)
}

// neighbours returns the nearest fixed boundaries before and after the date; nil where there is none.
func (b *boundaries) neighbours(ctx context.Context, date dates.Date) (earlier, later boundary, err error) {
	listed, err := b.objects.List(ctx, bucket.ListInput{Prefix: boundaryPrefix(b.topic)})
	if err != nil {
		return nil, nil, s3Error(ctx, "list boundaries of "+b.topic, err)
	}
	var before, after dates.Date
	for _, object := range listed {
		fixed, err := boundaryDate(b.topic, object.Key)
		if err != nil {
			return nil, nil, failure.NonRetryable(failure.Contradiction, err, "%s is no boundary: move it elsewhere", b.objects.URI(object.Key))
		}
		if fixed < date {
			before = fixed
		} else if fixed > date && after == "" {
			after = fixed
		}
	}
	if before != "" {
		if earlier, err = b.read(ctx, before); err != nil {
			return nil, nil, err
		}
	}
	if after != "" {
		later, err = b.read(ctx, after)
	}
	return earlier, later, err
}

// replaced says that a partition ends before an offset that is known to have been in it.
func replaced(topic string, partition int, known, end int64) error {
	return failure.NonRetryable(failure.TopicReplaced, nil, "partition %d of %s ends at offset %d, but offset %d was there before: the topic was deleted and made anew, or truncated. "+
		"Land it under another PINFLOW_USER_ID, or delete boundaries/%s/, manifests/%s/ and topics/%s/ from the bucket to start over",
		partition, topic, end, known, topic, topic, topic)
}
