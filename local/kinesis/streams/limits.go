package streams

import "time"

// The limits of Kinesis Data Streams, provisioned mode. Where nothing else is said, they are those of
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	mib = 1 << 20

	// WriteRecordsPerSecond and WriteBytesPerSecond are what a shard takes; bytes are those of data
	// and partition keys.
	WriteRecordsPerSecond = 1000
	WriteBytesPerSecond   = mib
	// ReadBytesPerSecond and ReadsPerSecond are what a shard gives by GetRecords, to all its readers
	// together.
	ReadBytesPerSecond = 2 * mib
	ReadsPerSecond     = 5
	// IteratorsPerSecond is how often a shard gives an iterator:
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
	IteratorsPerSecond = 5
	// ListShardsPerSecond is for each stream:
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
	ListShardsPerSecond = 1000

	// MaxPutRecords and MaxPutBytes are the limits of one PutRecords, keys included. AWS raised the
	// bytes from 5 MiB to 10 MiB with large records:
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
	MaxPutRecords = 500
	MaxPutBytes   = 10 * mib
	// DefaultRecordKiB is the largest record of a stream unless it is created with, or updated to, up
	// to MaxRecordKiB: https://docs.aws.amazon.com/streams/latest/dev/large-records.html
	DefaultRecordKiB = 1024
	MaxRecordKiB     = 10240

	// MaxGetRecords and MaxGetBytes are the limits of one GetRecords, whose Limit is MaxGetRecords by
	// default: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
	MaxGetRecords = 10_000
	MaxGetBytes   = 10 * mib
	// IteratorAge is how long an iterator can be used:
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
	IteratorAge = 5 * time.Minute
	// NextTokenAge is how long a token of ListShards can be used:
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
	NextTokenAge = 300 * time.Second

	// MinRetentionHours is the default, too.
	MinRetentionHours = 24
	MaxRetentionHours = 8760

	// MaxStreamShards is the limit of a stream, and MaxAccountShards that of all streams in us-east-1:
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html
	MaxStreamShards  = 10_000
	MaxAccountShards = 20_000
	// OnDemandShards is how many shards a new stream in on-demand mode has.
	OnDemandShards = 4
	// MaxShardUpdates is how often UpdateShardCount scales a stream within 24 hours.
	MaxShardUpdates = 10
	// MaxCreating is how many streams can be in state CREATING at once:
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
	MaxCreating = 5

	// MaxTags is for each stream: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_AddTagsToStream.html
	MaxTags = 50

	// MaxListStreams, MaxDescribeShards and MaxListShards are the default sizes of a page, and
	// the largest of the last two.
	MaxListStreams    = 100
	MaxDescribeShards = 100
	MaxListShards     = 1000

	// maxResults is the largest MaxResults of ListShards, though no page has more than MaxListShards:
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
	maxResults = 10_000
)

// callsPerSecond are the limits for all calls of an account together. Operations that are not in it
// are limited by stream or shard, or not at all.
var callsPerSecond = map[string]float64{
	"CreateStream": 5, "DeleteStream": 5, "ListStreams": 5, "DescribeStream": 10, "DescribeStreamSummary": 20,
	"SplitShard": 5, "MergeShards": 5, "UpdateShardCount": 10,
	"IncreaseStreamRetentionPeriod": 5, "DecreaseStreamRetentionPeriod": 5, "UpdateMaxRecordSize": 5,
	"AddTagsToStream": 5, "RemoveTagsFromStream": 5, "ListTagsForStream": 5,
}

// bucket is a token bucket that holds what flows in within a second.
type bucket struct {
	rate   float64
	size   float64 // rate if 0
	tokens float64
	at     time.Time
}

func newBucket(rate float64) *bucket { return &bucket{rate: rate, size: rate} }

// fill adds what has flown in since the last call.
func (b *bucket) fill(now time.Time) {
	if b.at.IsZero() {
		b.tokens = b.size
	} else if elapsed := now.Sub(b.at).Seconds(); elapsed > 0 {
		b.tokens = min(b.size, b.tokens+elapsed*b.rate)
	}
	b.at = now
}

// has reports whether n tokens are there.
func (b *bucket) has(now time.Time, n float64) bool {
	b.fill(now)
	return b.tokens >= n
}

// take takes n tokens, and reports whether they were there.
func (b *bucket) take(now time.Time, n float64) bool {
	if !b.has(now, n) {
		return false
	}
	b.tokens -= n
	return true
}
