package landing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

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
	kafka       Kafka
	objects     bucket.Objects
	topic       string
	partitions  int
	now         time.Time
	generations generations
	log         *identity
	// landed returns the landed objects of a date by partition.
	landed func(ctx context.Context, date dates.Date) (map[int][]Object, error)
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
	// The ends come first, so that a record that arrives between the requests is after them.
	known, err := b.log.ends(ctx, b.partitions)
	if err != nil {
		return nil, err
	}
	starts, err := b.offsetsAt(ctx, date.End())
	if err != nil {
		return nil, err
	}
	ahead, err := b.offsetsAt(ctx, b.now.Add(maxAhead))
	if err != nil {
		return nil, err
	}
	earlier, later, open, err := b.neighbours(ctx, date)
	if err != nil {
		return nil, err
	}
	claims := append(b.claims(earlier), b.claims(later)...)
	var landed map[int][]Object
	if open != "" {
		if landed, err = b.landed(ctx, open); err != nil {
			return nil, err
		}
		for _, partition := range slices.Sorted(maps.Keys(landed)) {
			claims = append(claims, b.claimsOf(partition, landed[partition]))
		}
	}
	if err := b.log.check(ctx, claims, known); err != nil {
		return nil, err
	}
	computed := make(boundary, b.partitions)
	for partition := range max(b.partitions, earlier.partitions(), b.generations.partitions()) {
		generation := b.generations.of(partition, date)
		end := int64(0) // of a partition that a new topic lacks
		if partition < b.partitions {
			if end = starts[partition]; end < 0 || end == ahead[partition] {
				end = known.stable[partition]
			}
		}
		end = min(end, b.generations.limit(partition, generation))
		if later != nil && later[partition].Generation == generation {
			end = min(end, later.at(partition))
		}
		for _, object := range ofGeneration(landed[partition], generation) {
			end = max(end, object.End) // of a log that is gone
		}
		fixed := mark{Offset: max(end, b.generations.from(partition, generation, earlier[partition])), Generation: generation}
		if partition < b.partitions && generation == b.generations.latest(partition) {
			fixed.Expired = fixed.Offset > 0 && fixed.Offset <= known.first[partition]
			fixed.First = fixed.Expired && earlier == nil
		}
		computed[partition] = fixed
	}
	return computed, b.identify(ctx, computed)
}

// claims returns what a boundary says about the logs that Kafka has.
func (b *boundaries) claims(fixed boundary) (all []claim) {
	for partition := range max(fixed.partitions(), b.generations.partitions()) {
		if m, ok := fixed[partition]; ok && m.Generation == b.generations.latest(partition) {
			all = append(all, m.claim(partition))
		} else {
			all = append(all, b.generations.claim(partition))
		}
	}
	return all
}

// claimsOf returns what the landed objects say about the log that Kafka has: its least end, and the last
// record, as a log that still has that one has those before it.
func (b *boundaries) claimsOf(partition int, landed []Object) claim {
	all := claim{partition: partition}
	for _, object := range ofGeneration(landed, b.generations.latest(partition)) {
		all.end, all.record = max(all.end, object.End), cmp.Or(object.Last, all.record)
		if object.Lost == Expired {
			all.first = max(all.first, object.End)
		}
	}
	return all
}

// identify adds the fingerprints of the records before the offsets.
func (b *boundaries) identify(ctx context.Context, computed boundary) error {
	marks := make([]mark, computed.partitions())
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(bucket.ParallelRequests)
	for partition := range marks {
		m := computed[partition]
		marks[partition] = m
		if m.Offset == 0 || partition >= b.partitions || m.Generation != b.generations.latest(partition) {
			continue
		}
		group.Go(func() error {
			record, ok, err := b.log.at(ctx, partition, m.Offset-1)
			if ok {
				marks[partition].Record = &record
			}
			return err
		})
	}
	err := group.Wait()
	for partition, m := range marks {
		computed[partition] = m
	}
	return err
}

func (b *boundaries) offsetsAt(ctx context.Context, at time.Time) ([]int64, error) {
	offsets, err := b.kafka.OffsetsAt(ctx, b.topic, b.partitions, at)
	return offsets, kafkaError(ctx, "get the offsets of "+b.topic+" at "+at.Format(time.RFC3339), err)
}

// neighbours returns the nearest fixed boundaries before and after the date, or nil. open is the date after
// the earlier one: a part of it can have landed although its end is not fixed. All boundaries of a topic are
// only listed if that of the date before is not fixed: a backfill of years would list years for each date.
func (b *boundaries) neighbours(ctx context.Context, date dates.Date) (earlier, later boundary, open dates.Date, err error) {
	before := date.Add(-1)
	earlier, err = b.read(ctx, before)
	if errors.Is(err, bucket.ErrNotFound) {
		if before, err = b.last(ctx, bucket.ListInput{Before: boundaryKey(b.topic, date)}); before != "" {
			earlier, err = b.read(ctx, before)
		}
	}
	if err != nil {
		return nil, nil, "", err
	}
	if before != "" {
		open = before.Add(1)
	}
	after, err := b.last(ctx, bucket.ListInput{After: boundaryKey(b.topic, date), Limit: 1})
	if after != "" {
		later, err = b.read(ctx, after)
	}
	return earlier, later, open, err
}

// last returns the date of the last boundary in a part of the list, or "".
func (b *boundaries) last(ctx context.Context, part bucket.ListInput) (dates.Date, error) {
	part.Prefix = boundaryPrefix(b.topic)
	listed, err := b.objects.List(ctx, part)
	if err != nil {
		return "", s3Error(ctx, "list boundaries of "+b.topic, err)
	}
	if len(listed) == 0 {
		return "", nil
	}
	key := listed[len(listed)-1].Key
	fixed, err := boundaryDate(b.topic, key)
	if err != nil {
		return "", failure.NonRetryable(failure.Contradiction, err, "%s is not a boundary: move it out of the folder", b.objects.URI(key))
	}
	return fixed, nil
}
