package landing

import (
	"context"
	"math"

	"github.com/pinflow/pinflow/internal/failure"
)

// left reports whether the plan has a range that is not empty.
func (p Plan) left() bool {
	for _, r := range p.Ranges {
		if !r.Empty() {
			return true
		}
	}
	return false
}

// rangesLeft returns the ranges without what has landed: one for each partition, and for each
// generation that a partition had in the date.
func (b *boundaries) rangesLeft(plan Plan, landed map[int][]Object, starts, ends boundary) (all []Range, err error) {
	for partition := range max(b.partitions, starts.partitions(), ends.partitions()) {
		start, end := starts[partition], ends[partition]
		if end.Generation < start.Generation || end.Generation == start.Generation && end.Offset < start.Offset {
			return nil, failure.NonRetryable(failure.Contradiction, nil, "partition %d of %s: the boundary of %s is at offset %d, after that of %s at %d: one of them was changed by hand; restore it",
				partition, plan.Topic, plan.Date.Add(-1), start.Offset, plan.Date, end.Offset)
		}
		for _, generation := range b.generations.between(partition, start, end) {
			r := Range{Partition: partition, Generation: generation, End: end.Offset}
			r.Start, err = chainEnd(b.objects, ofGeneration(landed[partition], generation), b.generations.from(partition, generation, start))
			if err != nil {
				return nil, err
			}
			if generation < end.Generation { // it ended within the date, and nobody knows where
				r.End = max(r.Start, b.generations.limit(partition, generation))
			}
			if r.Start > r.End && !plan.Partial {
				return nil, failure.NonRetryable(failure.Contradiction, nil, "partition %d of %s: the objects of %s end at offset %d, after its boundary at %d: the boundary was changed by hand; restore it",
					partition, plan.Topic, plan.Date, r.Start, r.End)
			}
			if r.Start > r.End {
				return nil, &replacedError{plan.Topic, []mismatch{*endsBefore(partition, r.Start, r.End)}}
			}
			all = append(all, r)
		}
	}
	return all, nil
}

// findLost adds to the ranges the offsets that Kafka no longer has. It returns a *replacedError if a
// range is of another log than the one that Kafka has.
func (b *boundaries) findLost(ctx context.Context, ranges []Range, landed map[int][]Object, starts, ends boundary) error {
	now, err := b.log.ends(ctx, b.partitions)
	if err != nil {
		return err
	}
	var claims []claim
	for _, r := range ranges {
		if r.Empty() {
			continue
		}
		claims = append(claims, b.generations.claim(r.Partition))
		if r.Generation != b.generations.latest(r.Partition) {
			continue
		}
		claims = append(claims, claim{partition: r.Partition, end: r.End})
		for _, m := range []mark{starts[r.Partition], ends[r.Partition]} {
			if m.Generation == r.Generation {
				claims = append(claims, m.claim(r.Partition))
			}
		}
		claims = append(claims, b.claimsOf(r.Partition, landed[r.Partition]))
	}
	if err := b.log.check(ctx, claims, now); err != nil {
		return err
	}
	for i, r := range ranges {
		from, to := int64(math.MaxInt64), int64(0)
		if r.Partition < b.partitions {
			from, to = now.first[r.Partition], b.generations.limit(r.Partition, r.Generation)
		}
		ranges[i].Lost = r.lost(from, to)
	}
	return nil
}

// lost returns the offsets of a range that Kafka does not have, if it has those from an offset on to
// another.
func (r Range) lost(from, to int64) (all []Lost) {
	add := func(lost Lost) {
		if lost.Start < lost.End {
			all = append(all, lost)
		}
	}
	available := max(r.Start, min(r.End, to))
	expired := min(available, max(from, r.Start))
	add(Lost{Start: r.Start, End: expired, Cause: Expired})
	add(Lost{Start: available, End: r.End, Cause: Replaced})
	return all
}
