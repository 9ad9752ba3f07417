// Package landing lands Kafka topics in S3, each record exactly once.
package landing

import (
	"cmp"
	"context"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/pause"
	"github.com/pinflow/pinflow/internal/run"
)

const (
	// maxObjectBytes limits an object: large enough that a day is few objects (each costs a request
	// and, in Spark, a task), small enough to have one in memory for each partition that lands at
	// the same time. A larger record gets an object of its own.
	maxObjectBytes = 16 << 20
	// maxObjectRecords limits an object of small records, so that readers with a thread for each
	// object share the work.
	maxObjectRecords = 50_000
	// fetchBytes is the size of one fetch: larger answers of Kafka are not faster.
	fetchBytes = 4 << 20
)

// Kafka is the part of a Kafka cluster that landing uses. Slices of offsets are indexed by
// partition. Errors are or wrap those of kafka-go.
type Kafka interface {
	// Partitions returns the number of partitions of a topic, or kafka.ErrUnknownTopic.
	Partitions(ctx context.Context, topic string) (int, error)
	// FirstOffsets returns the first offset of each partition that retention has not deleted.
	FirstOffsets(ctx context.Context, topic string, partitions int) ([]int64, error)
	// StableOffsets returns the last stable offset of each partition: all records before it are
	// committed and do not change.
	StableOffsets(ctx context.Context, topic string, partitions int) ([]int64, error)
	// OffsetsAt returns, for each partition, the first stable offset of a record with that time or
	// a later one; -1 if there is none.
	OffsetsAt(ctx context.Context, topic string, partitions int, at time.Time) ([]int64, error)
	// Fetch returns records of a partition from an offset on, in order, and the offset of the next
	// fetch. Offsets can be missing between records. If there are no records it waits, and then
	// next is offset. A record larger than maxBytes is returned alone.
	Fetch(ctx context.Context, topic string, partition int, offset int64, maxBytes int) (records []kafkago.Message, next int64, err error)
	// RecordAt returns what a partition has at an offset: also a marker of a transaction, and a record
	// of an aborted one. found is false if there is nothing.
	RecordAt(ctx context.Context, topic string, partition int, offset int64) (at kafkago.Message, found bool, err error)
	// CommitGroup moves the offsets of a consumer group forward, never back.
	CommitGroup(ctx context.Context, group, topic string, offsets map[int]int64) error
}

// Activities lands Kafka topics in S3, each record exactly once.
//
// A boundary for each topic and date is written once: date D consists of the offsets
// [boundary(D-1), boundary(D)) of each partition. Objects are named by their first offset and
// written only if the name is free, so that a retry, or a worker that was presumed dead, continues
// after the existing objects and never writes a record twice.
type Activities struct {
	Kafka   Kafka
	Objects bucket.Objects
	Topics  run.Topics // the names of the topics
	// Group is the consumer group whose offsets show how far each topic has landed. They are for
	// monitoring only: boundaries and landed objects decide what to land.
	Group string

	// WarnOfGaps makes a date from which Kafka lost records a success with a warning. Otherwise its
	// manifest fails until an operator accepts the loss.
	WarnOfGaps bool

	// ObjectBytes and ObjectRecords limit a landed object; 16 MiB and 50,000 records by default.
	ObjectBytes   int
	ObjectRecords int

	clock pause.Clock
	beat  time.Duration // PlanHeartbeat if 0; for tests
}

func (l *Activities) objectBytes() int { return cmp.Or(l.ObjectBytes, maxObjectBytes) }

func (l *Activities) objectRecords() int { return cmp.Or(l.ObjectRecords, maxObjectRecords) }
