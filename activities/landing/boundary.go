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

// maxAhead is how far ahead of the server's clock the time of a record may be for the record to end
// a date: the default of Kafka's message.timestamp.after.max.ms. Otherwise a record with a time in
// the next year would end every date until then.
const maxAhead = time.Hour

// boundaries fixes the boundaries of one topic.
//
// A boundary is the first offset with a time at or after the end of the date, or the last stable
// offset if there is no such record yet. The latter depends on the moment: two workers that fix two
// dates at once could compute boundaries that cross. Therefore the newest date that is over is
// always fixed first. The records before its boundary never change, so that every worker computes
// the same boundaries for all earlier dates, in any order.
type boundaries struct {
	kafka      Kafka
	objects    bucket.Objects
	topic      string
	partitions int
	now        time.Time
}

// of returns the boundary of a date that is over, and fixes it if that has not happened yet.
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
		return b.read(ctx, date) // another worker was first: its boundary counts
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
		return nil, failure.NonRetryable(failure.Contradiction, err, "cannot decode boundary %s: restore it, or delete it if nothing of %s and of the next date has landed: %v",
			b.objects.URI(key), date, err)
	}
	return fixed, nil
}

// compute returns the boundary by the records in Kafka, between the boundaries that are already
// fixed.
func (b *boundaries) compute(ctx context.Context, date dates.Date) (boundary, error) {
	// The stable offsets come first, so that a record that arrives between the requests is after
	// them.
	stable, err := b.kafka.StableOffsets(ctx, b.topic, b.partitions)
	if err != nil {
		return nil, kafkaError(ctx, "get the last offsets of "+b.topic, err)
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
	if err := b.checkReached(earlier, stable); err != nil {
		return nil, err
	}
	first, err := b.firstEver(ctx, earlier)
	if err != nil {
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
		fixed := mark{Offset: max(end, earlier.at(partition))}
		if first != nil && fixed.Offset == first[partition] {
			fixed.Deleted = fixed.Offset
		}
		computed[partition] = fixed
	}
	return computed, nil
}

// firstEver returns the first offset of each partition for a boundary that has no earlier one. What is
// before them was deleted before the topic was first planned.
func (b *boundaries) firstEver(ctx context.Context, earlier boundary) ([]int64, error) {
	if earlier != nil {
		return nil, nil
	}
	first, err := b.kafka.FirstOffsets(ctx, b.topic, b.partitions)
	return first, kafkaError(ctx, "get the first offsets of "+b.topic, err)
}

// checkReached returns an error if the topic ends before a fixed boundary, or lacks one of its
// partitions.
func (b *boundaries) checkReached(fixed boundary, stable []int64) error {
	for partition, mark := range fixed {
		end := int64(0)
		if partition < len(stable) {
			end = stable[partition]
		}
		if end < mark.Offset {
			return replaced(b.topic, partition, mark.Offset, end)
		}
	}
	return nil
}

func (b *boundaries) offsetsAt(ctx context.Context, at time.Time) ([]int64, error) {
	offsets, err := b.kafka.OffsetsAt(ctx, b.topic, b.partitions, at)
	return offsets, kafkaError(ctx, "get the offsets of "+b.topic+" at "+at.Format(time.RFC3339), err)
}

// neighbours returns the nearest fixed boundaries before and after the date, or nil.
func (b *boundaries) neighbours(ctx context.Context, date dates.Date) (earlier, later boundary, err error) {
	listed, err := b.objects.List(ctx, bucket.ListInput{Prefix: boundaryPrefix(b.topic)})
	if err != nil {
		return nil, nil, s3Error(ctx, "list boundaries of "+b.topic, err)
	}
	var before, after dates.Date
	for _, object := range listed {
		fixed, err := boundaryDate(b.topic, object.Key)
		if err != nil {
			return nil, nil, failure.NonRetryable(failure.Contradiction, err, "%s is not a boundary: move it out of the folder", b.objects.URI(object.Key))
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

// replaced returns the error of a partition that ends before an offset that it had.
func replaced(topic string, partition int, known, end int64) error {
	return failure.NonRetryable(failure.TopicReplaced, nil, "partition %d of %s ends at offset %d, but it has had offset %d: the topic was deleted and created again, or truncated. "+
		"Land it under another PINFLOW_USER_ID, or delete boundaries/%s/, manifests/%s/ and topics/%s/ from the deployment's folder of the bucket to start over",
		partition, topic, end, known, topic, topic, topic)
}
