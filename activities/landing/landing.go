package landing

import (
	"context"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/pause"
)

// Group is the consumer group whose offsets say how far each topic has been landed. They are for monitoring only:
// what to land is decided by boundaries and landed objects.
const Group = "pinflow-landing"

const (
	// maxObjectBytes bounds an object: large enough that a day is few objects (each costs a request and, in Spark, a task),
	// small enough to hold one in memory for each partition that lands at the same time. One larger record lands alone.
	maxObjectBytes = 16 << 20
)

const (
	// maxObjectRecords bounds an object of small records, so that readers that take an object a thread share the work.
	maxObjectRecords = 50_000
)

const (
	// fetchBytes is how much one request asks of Kafka: about the point where larger answers are not faster.
	fetchBytes = 4 << 20
)

// Kafka is what landing needs of a Kafka cluster. Offsets come as slices, the index being the partition.
// Errors are or wrap kafka-go's, so that they can be told apart.
type Kafka interface {
	// Partitions returns how many partitions a topic has now, or UnknownTopicOrPartition.
	Partitions(ctx context.Context, topic string) (int, error)
	// FirstOffsets returns the first offset that is still there, of each partition.
	FirstOffsets(ctx context.Context, topic string, partitions int) ([]int64, error)
	// StableOffsets returns the last stable offset of each partition: all before it is committed and does not change any more.
	StableOffsets(ctx context.Context, topic string, partitions int) ([]int64, error)
	// OffsetsAt returns the first stable offset whose record has the time or a later one, of each partition; -1 if there is none.
	OffsetsAt(ctx context.Context, topic string, partitions int, at time.Time) ([]int64, error)
	// Fetch returns records of a partition from an offset on, in order, and the offset at which to go on. Offsets may be missing
	// between the records. It waits only if there is nothing; next is offset then. One record larger than maxBytes comes all the same.
	Fetch(ctx context.Context, topic string, partition int, offset int64, maxBytes int) (records []kafkago.Message, next int64, err error)
	// CommitGroup moves a consumer group's offsets forwards, never back.
	CommitGroup(ctx context.Context, group, topic string, offsets map[int]int64) error
}

// Landing lands Kafka topics in S3, each record exactly once.
//
// The truth is offsets. Where one date ends and the next begins is written down once for each topic and date (a boundary);
// date D is the offsets [boundary(D-1), boundary(D)) of each partition. Objects are named by their first offset and written
// only where none is, so a retry, or a worker that was thought dead, follows what is there and never writes it twice.
type Activities struct {
	Kafka   Kafka
	Objects bucket.Objects
	UserID  string // the prefix of the topics, as in <UserID>.pin

	// ObjectBytes and ObjectRecords bound a landed object. Zero means 16 MB and 50,000 records.
	ObjectBytes   int
	ObjectRecords int

	clock pause.Clock
}

func (l *Activities) objectBytes() int {
	if l.ObjectBytes > 0 {
		return l.ObjectBytes
	}
	return maxObjectBytes
}

func (l *Activities) objectRecords() int {
	if l.ObjectRecords > 0 {
		return l.ObjectRecords
	}
	return maxObjectRecords
}
