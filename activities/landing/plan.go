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
// exist and is not optional, or if the date has not begun. If the topic has other logs than those that
// have landed, it fails unless in.Accept begins a generation with them.
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
	for restarts := 0; ; restarts++ {
		plan, err := l.plan(ctx, topic, in.Date, partitions, now)
		replaced, ok := asReplaced(err)
		switch {
		case !ok:
			return plan, err
		case in.Accept == nil || restarts == maxRestarts:
			return Plan{}, replaced.final(in)
		}
		warn(ctx, "going on with a new log of the topic", "topic", topic, "why", replaced.Error(), "accepted", in.Accept.Reason)
		if err := l.restart(ctx, replaced, *in.Accept, now); err != nil {
			return Plan{}, err
		}
	}
}

// maxRestarts limits how often a plan begins a generation: partitions can turn out one after the other
// to have another log.
const maxRestarts = 5

// plan returns the plan of a date at that moment, or a *replacedError.
func (l *Activities) plan(ctx context.Context, topic string, date dates.Date, partitions int, now time.Time) (Plan, error) {
	generations, err := readGenerations(ctx, l.Objects, topic)
	if err != nil {
		return Plan{}, err
	}
	fixing := &boundaries{
		kafka: l.Kafka, objects: l.Objects, topic: topic, partitions: partitions, now: now,
		generations: generations, log: &identity{kafka: l.Kafka, topic: topic},
		landed: func(ctx context.Context, date dates.Date) (map[int][]Object, error) {
			return l.landed(ctx, topic, date, datePrefix(topic, date))
		},
	}
	plan := Plan{Topic: topic, Date: date, Until: date.End()}
	starts, err := fixing.of(ctx, date.Add(-1))
	if err != nil {
		return Plan{}, err
	}
	// The objects are listed before the end is read: the run of another DAG may land the topic at the
	// same time, and its objects must not be beyond the end.
	landed, err := fixing.landed(ctx, date)
	if err != nil {
		return Plan{}, err
	}
	var ends boundary
	if date.Over(now) {
		ends, err = fixing.of(ctx, date)
	} else {
		plan.Partial, plan.Until = true, now
		ends, err = fixing.soFar(ctx, date, starts)
	}
	if err != nil {
		return Plan{}, err
	}
	if plan.Ranges, err = fixing.rangesLeft(plan, landed, starts, ends); err != nil {
		return Plan{}, err
	}
	if plan.left() {
		if err := fixing.findLost(ctx, plan.Ranges, landed, starts, ends); err != nil {
			return Plan{}, err
		}
	}
	plan.Groups = group(plan.Ranges)
	return plan, l.proveEmpty(ctx, plan, landed)
}

// planWithout returns the plan for an optional topic that does not exist. One that has a boundary did
// exist: without it, records that have not landed are lost, so that the plan fails.
func (l *Activities) planWithout(ctx context.Context, topic string, date dates.Date, now time.Time, unknown error) (Plan, error) {
	fixed, err := l.Objects.List(ctx, bucket.ListInput{Prefix: boundaryPrefix(topic), Limit: 1})
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
	known, err := b.log.ends(ctx, b.partitions)
	if err != nil {
		return nil, err
	}
	next, err := b.offsetsAt(ctx, date.End())
	if err != nil {
		return nil, err
	}
	if err := b.log.check(ctx, b.claims(starts), known); err != nil {
		return nil, err
	}
	ends := make(boundary, b.partitions)
	for partition := range max(b.partitions, starts.partitions(), b.generations.partitions()) {
		generation := b.generations.of(partition, date)
		start := b.generations.from(partition, generation, starts[partition])
		end := start
		if partition < b.partitions {
			if end = known.stable[partition]; next[partition] >= 0 {
				end = min(end, max(start, next[partition]))
			}
		}
		ends[partition] = mark{Offset: end, Generation: generation}
	}
	return ends, nil
}
