package landing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pinflow/pinflow/activities/servertime"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
)

// nearEnd is how long before the end of a date its plan waits for the end. A run that is started so
// late is meant for the whole date; it would be partial because of the clock, and run twice.
const nearEnd = 10 * time.Second

// PlanLanding returns the offsets of a topic that are left to land for a date. It fixes the
// boundaries on both sides of the date. A date that is not over has no boundary yet: the ranges end
// at the current end of the topic, and the plan is partial. A date that ends within 10 s is awaited.
// The Temporal server's clock decides, as it does for Schedules; the worker's may be off. The ranges
// start after the objects that have already landed. For a partition without records of the date it
// writes the object of length 0 that proves it, so that an empty range needs no LandPartitions.
//
// The ranges name the offsets that Kafka no longer has. It fails without a retry if the topic does not
// exist and is not optional, or if the date has not begun.
func (l *Activities) PlanLanding(ctx context.Context, in PlanInput) (Plan, error) {
	clock := servertime.Of(ctx, l.clock)
	defer l.heartbeat(ctx)()
	if in.Date.Start().IsZero() || in.Date.Start().After(clock.Now()) {
		return Plan{}, failure.NonRetryable(failure.InvalidInput, nil, "date %q has not begun: choose a date up to %s", in.Date, dates.Of(clock.Now()))
	}
	if in.Date.Over(clock.Now().Add(nearEnd)) {
		if err := clock.WaitUntil(ctx, in.Date.End(), fmt.Sprintf("the end of %s", in.Date)); err != nil {
			return Plan{}, err
		}
	}
	now := clock.Now()
	topic := l.Topics.Name(in.Topic)
	partitions, err := l.partitions(ctx, topic)
	if in.Optional && errors.Is(err, kafka.ErrUnknownTopic) {
		return l.planWithout(ctx, topic, in.Date, now, err)
	}
	if err != nil {
		return Plan{}, err
	}
	fixing := &boundaries{kafka: l.Kafka, objects: l.Objects, topic: topic, partitions: partitions, now: now}
	plan := Plan{Topic: topic, Date: in.Date, Until: in.Date.End()}
	starts, err := fixing.of(ctx, in.Date.Add(-1))
	if err != nil {
		return Plan{}, err
	}
	// The objects are listed before the end is read: the run of another DAG may land the topic at the
	// same time, and its objects must not be beyond the end.
	landed, err := l.landed(ctx, topic, in.Date, datePrefix(topic, in.Date))
	if err != nil {
		return Plan{}, err
	}
	var ends boundary
	if in.Date.Over(now) {
		ends, err = fixing.of(ctx, in.Date)
	} else {
		plan.Partial, plan.Until = true, now
		ends, err = fixing.soFar(ctx, in.Date, starts)
	}
	if err != nil {
		return Plan{}, err
	}
	if plan.Ranges, err = l.rangesLeft(ctx, plan, landed, partitions, starts, ends); err != nil {
		return Plan{}, err
	}
	plan.Groups = group(plan.Ranges)
	return plan, l.proveEmpty(ctx, plan, landed)
}

// planWithout returns the plan for an optional topic that does not exist. One that has a boundary did
// exist: without it, records that have not landed are lost, so that the plan fails.
func (l *Activities) planWithout(ctx context.Context, topic string, date dates.Date, now time.Time, unknown error) (Plan, error) {
	fixed, err := l.Objects.List(ctx, bucket.ListInput{Prefix: boundaryPrefix(topic)})
	if err != nil {
		return Plan{}, s3Error(ctx, "list boundaries of "+topic, err)
	}
	if len(fixed) > 0 {
		return Plan{}, unknown
	}
	plan := Plan{Topic: topic, Date: date, Missing: true, Until: date.End()}
	if !date.Over(now) {
		plan.Partial, plan.Until = true, now
	}
	return plan, nil
}

// soFar returns where a date that is not over ends for now: at the last stable offset, or before
// the first record with the time of a later date, from a producer with a fast clock. The boundary,
// once it is fixed, may assign that record and all after it to the next date, so that this date
// must not land them. If that record is within an earlier date, nothing lands before the date is
// over.
func (b *boundaries) soFar(ctx context.Context, date dates.Date, starts boundary) (boundary, error) {
	stable, err := b.kafka.StableOffsets(ctx, b.topic, b.partitions)
	if err != nil {
		return nil, kafkaError(ctx, "get the last offsets of "+b.topic, err)
	}
	next, err := b.offsetsAt(ctx, date.End())
	if err != nil {
		return nil, err
	}
	if err := b.checkReached(starts, stable); err != nil {
		return nil, err
	}
	ends := make(boundary, b.partitions)
	for partition := range b.partitions {
		start, end := starts.at(partition), stable[partition]
		if next[partition] >= 0 {
			end = min(end, max(start, next[partition]))
		}
		ends[partition] = mark{Offset: end}
	}
	return ends, nil
}

// rangesLeft returns the ranges without what has landed, and checks that Kafka still has their
// offsets.
func (l *Activities) rangesLeft(ctx context.Context, plan Plan, landed map[int][]Object, partitions int, starts, ends boundary) ([]Range, error) {
	known := partitions
	for partition := range ends { // a topic that was created again can have fewer partitions than the boundary
		known = max(known, partition+1)
	}
	ranges := make([]Range, known)
	left := false
	for partition := range known {
		start, end := starts.at(partition), ends.at(partition)
		if end < start {
			return nil, failure.NonRetryable(failure.Contradiction, nil, "partition %d of %s: the boundary of %s is at offset %d, after that of %s at %d: one of them was changed by hand; restore it",
				partition, plan.Topic, plan.Date.Add(-1), start, plan.Date, end)
		}
		done, err := l.chainEnd(landed[partition], start)
		if err != nil {
			return nil, err
		}
		if done > end && plan.Partial {
			return nil, replaced(plan.Topic, partition, done, end)
		}
		if done > end {
			return nil, failure.NonRetryable(failure.Contradiction, nil, "partition %d of %s: the objects of %s end at offset %d, after its boundary at %d: the boundary was changed by hand; restore it",
				partition, plan.Topic, plan.Date, done, end)
		}
		ranges[partition] = Range{Partition: partition, Start: done, End: end}
		if done < end {
			left = true
		}
	}
	if !left {
		return ranges, nil
	}
	return ranges, l.findLost(ctx, plan, partitions, ranges)
}

// findLost adds to the ranges the offsets that Kafka no longer has. It returns an error if the topic
// ends before them.
func (l *Activities) findLost(ctx context.Context, plan Plan, partitions int, ranges []Range) error {
	first, err := l.Kafka.FirstOffsets(ctx, plan.Topic, partitions)
	if err != nil {
		return kafkaError(ctx, "get the first offsets of "+plan.Topic, err)
	}
	stable, err := l.Kafka.StableOffsets(ctx, plan.Topic, partitions)
	if err != nil {
		return kafkaError(ctx, "get the last offsets of "+plan.Topic, err)
	}
	for i, r := range ranges {
		if r.Empty() {
			continue
		}
		if r.Partition >= partitions {
			return replaced(plan.Topic, r.Partition, r.End, 0)
		}
		if r.End > stable[r.Partition] {
			return replaced(plan.Topic, r.Partition, r.End, stable[r.Partition])
		}
		if r.Start < first[r.Partition] {
			ranges[i].Lost = []Lost{{Start: r.Start, End: min(first[r.Partition], r.End), Cause: Expired}}
		}
	}
	return nil
}
