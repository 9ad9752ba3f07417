package landing

import (
	"context"
	"strconv"
	"strings"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
)

// PlanLanding tells which offsets of a topic are left to land for a date. The input names the kind of record (pin, geo, user),
// the plan the whole topic. It fixes the boundaries on both sides of the date; for a date that is not over, which has no boundary
// yet, the ranges end at what is there now and the plan is partial. Where objects of the date have landed before, the ranges
// start behind them. In a partition where the date has nothing, neither landed nor left, the plan leaves the object of length 0 that proves
// it: an empty range needs no LandPartition.
//
// It fails for good if the topic is missing, if the date has not begun, or if Kafka's retention has deleted what is left to land.
func (l *Activities) PlanLanding(ctx context.Context, in PlanInput) (Plan, error) {
	now := l.clock.Now()
	if in.Date.Start().IsZero() || in.Date.Start().After(now) {
		return Plan{}, failure.NonRetryable(failure.InvalidInput, nil, "date %q has not begun: name a date up to %s", in.Date, dates.Of(now))
	}
	topic := l.UserID + "." + in.Topic
	partitions, err := l.Kafka.Partitions(ctx, topic)
	if err != nil {
		return Plan{}, kafkaError(ctx, "ask for the partitions of "+topic, err)
	}
	fixing := &boundaries{kafka: l.Kafka, objects: l.Objects, topic: topic, partitions: partitions, now: now}
	plan := Plan{Topic: topic, Date: in.Date, Until: in.Date.End()}
	starts, err := fixing.of(ctx, in.Date.Add(-1))
	if err != nil {
		return Plan{}, err
	}
	var ends boundary
	if in.Date.Over(now) {
		ends, err = fixing.of(ctx, in.Date)
	} else {
		plan.Partial, plan.Until = true, now.UTC()
		ends, err = fixing.soFar(ctx, in.Date, starts)
	}
	if err != nil {
		return Plan{}, err
	}
	landed, err := l.landed(ctx, topic, in.Date, datePrefix(topic, in.Date))
	if err != nil {
		return Plan{}, err
	}
	if plan.Ranges, err = l.rangesLeft(ctx, plan, landed, partitions, starts, ends); err != nil {
		return Plan{}, err
	}
	return plan, l.proveEmpty(ctx, plan, landed)
}

// soFar is where a date that is not over ends for now: at the last stable offset, or already at the first record with the time of
// a later date, because of a producer whose clock is fast. The boundary, once it is fixed, may give that record and all behind it
// to the next date; this date must not have landed them. If that record lies in an earlier date, then none lands before the date is over.
func (b *boundaries) soFar(ctx context.Context, date dates.Date, starts boundary) (boundary, error) {
	stable, err := b.kafka.StableOffsets(ctx, b.topic, b.partitions)
	if err != nil {
		return nil, kafkaError(ctx, "ask for the last offsets of "+b.topic, err)
	}
	next, err := b.offsetsAt(ctx, date.End())
	if err != nil {
		return nil, err
	}
	if err := b.holds(starts, stable); err != nil {
		return nil, err
	}
	ends := make(boundary, b.partitions)
	for partition := range b.partitions {
		start, end := starts.at(partition), stable[partition]
		if next[partition] >= 0 {
			end = min(end, max(start, next[partition]))
		}
		ends[partition] = end
	}
	return ends, nil
}

// rangesLeft takes from the ranges what has landed, and makes sure that Kafka still has the rest.
func (l *Activities) rangesLeft(ctx context.Context, plan Plan, landed map[int][]Object, partitions int, starts, ends boundary) ([]Range, error) {
	known := partitions
	for partition := range ends { // a boundary knows more partitions than a topic that was made anew
		known = max(known, partition+1)
	}
	ranges := make([]Range, known)
	var left []Range
	for partition := range known {
		start, end := starts.at(partition), ends.at(partition)
		if end < start {
			return nil, failure.NonRetryable(failure.Contradiction, nil, "partition %d of %s: boundary %s is at offset %d, behind that of %s at %d: one of the two was changed by hand; restore it",
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
			return nil, failure.NonRetryable(failure.Contradiction, nil, "partition %d of %s: objects of %s reach to offset %d, behind its boundary at %d: the boundary was changed by hand; restore it",
				partition, plan.Topic, plan.Date, done, end)
		}
		ranges[partition] = Range{Partition: partition, Start: done, End: end}
		if done < end {
			left = append(left, ranges[partition])
		}
	}
	return ranges, l.stillThere(ctx, plan, partitions, left)
}

// stillThere fails if Kafka, where the topic has so many partitions, does not have all offsets of the ranges any more.
func (l *Activities) stillThere(ctx context.Context, plan Plan, partitions int, ranges []Range) error {
	if len(ranges) == 0 {
		return nil
	}
	first, err := l.Kafka.FirstOffsets(ctx, plan.Topic, partitions)
	if err != nil {
		return kafkaError(ctx, "ask for the first offsets of "+plan.Topic, err)
	}
	stable, err := l.Kafka.StableOffsets(ctx, plan.Topic, partitions)
	if err != nil {
		return kafkaError(ctx, "ask for the last offsets of "+plan.Topic, err)
	}
	var gone []string
	for _, r := range ranges {
		if r.Partition >= partitions {
			return replaced(plan.Topic, r.Partition, r.End, 0)
		}
		if r.End > stable[r.Partition] {
			return replaced(plan.Topic, r.Partition, r.End, stable[r.Partition])
		}
		if r.Start < first[r.Partition] {
			gone = append(gone, describeGone(r, first[r.Partition]))
		}
	}
	if len(gone) > 0 {
		return offsetsGone(plan.Topic, plan.Date, strings.Join(gone, ", "))
	}
	return nil
}

func describeGone(r Range, first int64) string {
	last := min(first, r.End) - 1
	return "partition " + strconv.Itoa(r.Partition) + " offsets " + strconv.FormatInt(r.Start, 10) + " to " + strconv.FormatInt(last, 10)
}

func offsetsGone(topic string, date dates.Date, gone string) error {
	return failure.NonRetryable(failure.OffsetsGone, nil, "%s of %s: Kafka's retention has deleted records before they were landed: %s. "+
		"Raise the topic's retention.ms, and produce the lost records again if their source still has them: they land with the date of their arrival. Other dates are not affected",
		topic, date, gone)
}
