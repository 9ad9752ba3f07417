package landing

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"

	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"
)

// groupOffsets limits a group of several ranges. It lands in seconds, so that an attempt that fails
// repeats little, and larger ranges have an activity, and with it a worker, of their own.
const groupOffsets = 100_000

// group puts ranges that are not empty into groups of groupOffsets at most. A larger range is a
// group of its own.
func group(ranges []Range) (groups [][]Range) {
	var small []Range
	for _, r := range ranges {
		switch {
		case r.Empty():
		case r.End-r.Start > groupOffsets:
			groups = append(groups, []Range{r})
		case offsets(small)+r.End-r.Start > groupOffsets:
			groups = append(groups, small)
			small = []Range{r}
		default:
			small = append(small, r)
		}
	}
	if len(small) > 0 {
		groups = append(groups, small)
	}
	return groups
}

// partitionsAtOnce limits the ranges that one LandPartitions lands at the same time, and with them
// the objects that it has in memory.
const partitionsAtOnce = 4

// LandPartitions lands the offsets of the ranges as objects, each record exactly once. It returns
// what all objects of the ranges hold, including those of earlier attempts and other workers. Its
// heartbeats say how many offsets have landed. If a range fails, the others still land, so that the
// next attempt has less to do.
func (l *Activities) LandPartitions(ctx context.Context, in PartitionsInput) (PartitionsSummary, error) {
	var sum PartitionsSummary
	var done atomic.Int64
	landings := make([]*partitionLanding, len(in.Ranges))
	errs := make([]error, len(in.Ranges))
	var parts errgroup.Group
	parts.SetLimit(partitionsAtOnce)
	for i, r := range in.Ranges {
		landings[i] = &partitionLanding{Activities: l, topic: in.Topic, date: in.Date, Range: r, at: r.Start, done: &done}
		parts.Go(func() error {
			errs[i] = landings[i].run(ctx)
			return nil
		})
	}
	_ = parts.Wait() // the functions return no error
	for _, p := range landings {
		sum.Objects += p.summary.Objects
		sum.Records += p.summary.Records
		sum.Bytes += p.summary.Bytes
	}
	return sum, first(errs)
}

// first returns the first error that no retry can fix, else the first one: errors of an activity
// that are joined would all be retried.
func first(errs []error) (first error) {
	for _, err := range errs {
		var typed *temporal.ApplicationError
		if errors.As(err, &typed) && typed.NonRetryable() {
			return err
		}
		first = cmp.Or(first, err)
	}
	return first
}
