package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// none is the offset of a partition that has no such record.
const none = -1

// FirstOffsets returns the first offset of each partition that retention has not deleted, indexed
// by partition.
func (r *Reader) FirstOffsets(ctx context.Context, topic string, partitions int) ([]int64, error) {
	return r.offsets(ctx, topic, partitions, kafkago.FirstOffset, func(p kafkago.PartitionOffsets) int64 { return p.FirstOffset })
}

// StableOffsets returns the last stable offset of each partition: the one after the last record
// that is replicated and not in an open transaction.
func (r *Reader) StableOffsets(ctx context.Context, topic string, partitions int) ([]int64, error) {
	return r.offsets(ctx, topic, partitions, kafkago.LastOffset, func(p kafkago.PartitionOffsets) int64 { return p.LastOffset })
}

// OffsetsAt returns, for each partition, the first stable offset of a record with that time or a
// later one; -1 if there is none.
func (r *Reader) OffsetsAt(ctx context.Context, topic string, partitions int, at time.Time) ([]int64, error) {
	return r.offsets(ctx, topic, partitions, at.UnixMilli(), func(p kafkago.PartitionOffsets) int64 {
		for offset := range p.Offsets { // the request was for one
			return offset
		}
		return none
	})
}

const (
	// offsetAttempts is how often a request for offsets is made: the first response of a broker
	// that was restarted, or that has lost a partition to another, is an error.
	offsetAttempts = 4
	offsetPause    = 50 * time.Millisecond
)

// offsets requests one offset of each partition. The timestamp is in milliseconds, or kafka-go's
// FirstOffset or LastOffset.
func (r *Reader) offsets(ctx context.Context, topic string, partitions int, timestamp int64, pick func(kafkago.PartitionOffsets) int64) ([]int64, error) {
	if timestamp < 0 && timestamp != kafkago.FirstOffset && timestamp != kafkago.LastOffset {
		timestamp = 0 // Kafka has no records from before 1970, and meanings of its own for negative times
	}
	for attempt := 1; ; attempt++ {
		offsets, err := r.askOffsets(ctx, topic, partitions, timestamp, pick)
		// kafka-go returns Unknown for a broker that it did not reach.
		passing := passes(err) || errors.Is(err, kafkago.Unknown)
		if !passing || attempt == offsetAttempts || ctx.Err() != nil {
			return offsets, err
		}
		wait(ctx, time.Duration(attempt)*offsetPause)
	}
}

func (r *Reader) askOffsets(ctx context.Context, topic string, partitions int, timestamp int64, pick func(kafkago.PartitionOffsets) int64) ([]int64, error) {
	requests := make([]kafkago.OffsetRequest, partitions)
	for partition := range partitions {
		requests[partition] = kafkago.OffsetRequest{Partition: partition, Timestamp: timestamp}
	}
	answer, err := r.client.ListOffsets(ctx, &kafkago.ListOffsetsRequest{
		Topics: map[string][]kafkago.OffsetRequest{topic: requests}, IsolationLevel: kafkago.ReadCommitted,
	})
	if err != nil {
		r.refresh(err)
		return nil, fmt.Errorf("list offsets of %s: %w", topic, err)
	}
	offsets := make([]int64, partitions)
	for _, partition := range answer.Topics[topic] {
		if partition.Error != nil {
			r.transport.CloseIdleConnections()
			return nil, fmt.Errorf("list offsets of %s/%d: %w", topic, partition.Partition, partition.Error)
		}
		offsets[partition.Partition] = pick(partition)
	}
	return offsets, nil
}

const (
	commitPause    = 50 * time.Millisecond
	maxCommitPause = time.Second
)

// CommitGroup moves the offsets of a consumer group forward, never back. The group must have no
// members. It retries until the context is done, because a broker that has just started, and a
// coordinator that moves, reject commits for a moment.
func (r *Reader) CommitGroup(ctx context.Context, group, topic string, offsets map[int]int64) error {
	pause := commitPause
	for {
		err := r.commitGroup(ctx, group, topic, offsets)
		if !passes(err) {
			return err
		}
		wait(ctx, pause)
		if ctx.Err() != nil {
			return err
		}
		pause = min(2*pause, maxCommitPause)
	}
}

func (r *Reader) commitGroup(ctx context.Context, group, topic string, offsets map[int]int64) error {
	committed, err := r.committed(ctx, group, topic, offsets)
	if err != nil {
		return err
	}
	var commits []kafkago.OffsetCommit
	for partition, offset := range offsets {
		if before, ok := committed[partition]; !ok || offset > before {
			commits = append(commits, kafkago.OffsetCommit{Partition: partition, Offset: offset})
		}
	}
	if len(commits) == 0 {
		return nil
	}
	answer, err := r.client.OffsetCommit(ctx, &kafkago.OffsetCommitRequest{
		GroupID: group, GenerationID: none, Topics: map[string][]kafkago.OffsetCommit{topic: commits},
	})
	if err != nil {
		return fmt.Errorf("commit the offsets of group %s: %w", group, err)
	}
	var errs []error
	for _, partition := range answer.Topics[topic] {
		if partition.Error != nil {
			errs = append(errs, fmt.Errorf("commit the offset of group %s for %s/%d: %w", group, topic, partition.Partition, partition.Error))
		}
	}
	return errors.Join(errs...)
}

// committed returns the offsets that the group has committed for those partitions.
func (r *Reader) committed(ctx context.Context, group, topic string, wanted map[int]int64) (map[int]int64, error) {
	partitions := slices.Collect(maps.Keys(wanted))
	answer, err := r.client.OffsetFetch(ctx, &kafkago.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: partitions}})
	if err == nil {
		err = answer.Error
	}
	if errors.Is(err, kafkago.GroupIdNotFound) {
		return nil, nil // the first commit creates the group
	}
	if err != nil {
		return nil, fmt.Errorf("read the offsets of group %s: %w", group, err)
	}
	offsets := make(map[int]int64, len(partitions))
	for _, partition := range answer.Topics[topic] {
		if partition.Error != nil {
			return nil, fmt.Errorf("read the offset of group %s for %s/%d: %w", group, topic, partition.Partition, partition.Error)
		}
		if partition.CommittedOffset >= 0 {
			offsets[partition.Partition] = partition.CommittedOffset
		}
	}
	return offsets, nil
}
