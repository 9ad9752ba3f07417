package landing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
)

// Restart is an operator's decision that a topic goes on with new logs, because some of its partitions
// have others than those that have landed. It begins a generation: offsets of different generations
// are different records, also if the numbers are equal. Restarts are written once, to
// generations/<topic>/<generation>.json.
type Restart struct {
	// Generation counts from 1; the first logs of a topic are generation 0.
	Generation int `json:"generation"`
	// After is the latest date whose boundary was fixed. The records of the new logs belong to later
	// dates.
	After dates.Date `json:"after"`
	// Partitions holds, for each partition with a new log, the first offset at which it can differ
	// from the old one: 0 for a topic that was created again. It is where the generation starts.
	Partitions map[int]mark `json:"partitions"`
	Acceptance
}

// generations holds the restarts of a topic, in their order.
type generations []Restart

// readGenerations returns the restarts of a topic.
func readGenerations(ctx context.Context, objects bucket.Objects, topic string) (all generations, err error) {
	prefix := generationPrefix(topic)
	listed, err := objects.List(ctx, bucket.ListInput{Prefix: prefix})
	if err != nil {
		return nil, s3Error(ctx, "list "+prefix, err)
	}
	for _, object := range listed {
		body, err := objects.Get(ctx, object.Key)
		if err != nil {
			return nil, s3Error(ctx, "read "+object.Key, err)
		}
		var one Restart
		if err := json.Unmarshal(body, &one); err != nil || object.Key != generationKey(topic, len(all)+1) || one.Generation != len(all)+1 {
			return nil, failure.NonRetryable(failure.Contradiction, err, "%s does not begin generation %d of %s: restore the folder; what has landed depends on it",
				objects.URI(object.Key), len(all)+1, topic)
		}
		all = append(all, one)
	}
	return all, nil
}

// partitions returns how many partitions the topic had.
func (g generations) partitions() (count int) {
	for _, restart := range g {
		for partition := range restart.Partitions {
			count = max(count, partition+1)
		}
	}
	return count
}

// of returns the generation of a partition in which a date ends.
func (g generations) of(partition int, date dates.Date) (number int) {
	for _, restart := range g {
		if _, listed := restart.Partitions[partition]; listed && restart.After < date {
			number = restart.Generation
		}
	}
	return number
}

// latest returns the generation of the log that Kafka has.
func (g generations) latest(partition int) (number int) {
	for _, restart := range g {
		if _, listed := restart.Partitions[partition]; listed {
			number = restart.Generation
		}
	}
	return number
}

// start returns the first offset of a generation.
func (g generations) start(partition, generation int) int64 {
	if generation == 0 {
		return 0
	}
	return g[generation-1].Partitions[partition].Offset
}

// from returns the offset of a generation after an earlier mark.
func (g generations) from(partition, generation int, earlier mark) int64 {
	if earlier.Generation == generation {
		return earlier.Offset
	}
	return g.start(partition, generation)
}

// claim returns what the start of the latest generation says about the log of a partition.
func (g generations) claim(partition int) claim {
	latest := g.latest(partition)
	if latest == 0 {
		return claim{partition: partition}
	}
	return g[latest-1].Partitions[partition].claim(partition)
}

// limit returns the end of the offsets of a generation that Kafka can still have: later logs differ
// from there on.
func (g generations) limit(partition, generation int) int64 {
	limit := int64(math.MaxInt64)
	for _, restart := range g {
		if start, listed := restart.Partitions[partition]; listed && restart.Generation > generation {
			limit = min(limit, start.Offset)
		}
	}
	return limit
}

// between returns the generations of a partition from that of one mark to that of another.
func (g generations) between(partition int, start, end mark) []int {
	all := []int{start.Generation}
	for _, restart := range g {
		_, listed := restart.Partitions[partition]
		if listed && restart.Generation > start.Generation && restart.Generation <= end.Generation {
			all = append(all, restart.Generation)
		}
	}
	return all
}

// ended returns who accepted that a generation of a partition ended.
func (g generations) ended(partition, generation int) *Acceptance {
	for _, restart := range g {
		if _, listed := restart.Partitions[partition]; listed && restart.Generation > generation {
			return &restart.Acceptance
		}
	}
	return nil
}

// restart begins a generation of the partitions that have other logs than those that have landed. If
// another worker does so at the same time, its decision counts.
func (l *Activities) restart(ctx context.Context, replaced *replacedError, accept Acceptance, now time.Time) error {
	topic := replaced.topic
	earlier, err := readGenerations(ctx, l.Objects, topic)
	if err != nil {
		return err
	}
	next := Restart{Generation: len(earlier) + 1, Partitions: map[int]mark{}, Acceptance: accept}
	next.At = now
	fixed, err := l.Objects.List(ctx, bucket.ListInput{Prefix: boundaryPrefix(topic)})
	if err != nil {
		return s3Error(ctx, "list boundaries of "+topic, err)
	}
	if len(fixed) > 0 {
		if next.After, err = boundaryDate(topic, fixed[len(fixed)-1].Key); err != nil {
			return failure.NonRetryable(failure.Contradiction, err, "%s is not a boundary: move it out of the folder", l.Objects.URI(fixed[len(fixed)-1].Key))
		}
	}
	for _, m := range replaced.found {
		if next.Partitions[m.partition], err = l.divergence(ctx, topic, m.partition, earlier); err != nil {
			return err
		}
		warn(ctx, "a new log of a partition begins", "topic", topic, "partition", m.partition, "generation", next.Generation, "offset", next.Partitions[m.partition].Offset)
	}
	body, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return fmt.Errorf("generation of %s: %w", topic, err)
	}
	key := generationKey(topic, next.Generation)
	err = l.Objects.Put(ctx, bucket.PutInput{Key: key, Body: body, OnlyNew: true})
	if errors.Is(err, bucket.ErrExists) {
		return nil
	}
	return s3Error(ctx, "write "+key, err)
}
