package streams

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Place is where the store keeps the data of a record.
type Place struct {
	Segment, Length int32
	Offset          int64
}

// Record is a record of a shard; its data is at Place.
type Record struct {
	Position uint64
	// Arrival is in milliseconds since 1970; it does not descend within a shard.
	Arrival int64
	Place   Place
}

// Shard is a shard of a stream. Its exported fields are kept by the snapshot.
type Shard struct {
	Number   int
	From, To HashKey
	// Parent and Adjacent are the numbers of the parents, or -1.
	Parent, Adjacent int
	// Created and Closed are in milliseconds since 1970; Closed is 0 for an open shard. The sequence
	// numbers have Started, in seconds, which is greater than those of all shards before.
	Created, Closed, Started int64
	// Next is the position of the next record.
	Next uint64

	records []Record
	last    int64 // the arrival of the last record, written or about to be

	writtenRecords, writtenBytes, reads, readBytes, iterators *bucket
	blocked                                                   time.Time // no read before it
}

// ShardID returns the id of a shard by its number.
func ShardID(number int) string { return fmt.Sprintf("shardId-%012d", number) }

// parseShardID returns the number of a shard.
func parseShardID(id string) (int, bool) {
	digits, ok := strings.CutPrefix(id, "shardId-")
	number, err := strconv.ParseInt(digits, 10, 32)
	return int(number), ok && err == nil && ShardID(int(number)) == id
}

// ID returns the id of the shard.
func (s *Shard) ID() string { return ShardID(s.Number) }

// First returns the first sequence number of the shard.
func (s *Shard) First() string {
	return Sequence{Created: s.Started, Time: s.Started, Shard: s.Number}.String()
}

// Last returns the last sequence number of a closed shard, and "" for an open one.
func (s *Shard) Last() string {
	if s.open() {
		return ""
	}
	return Sequence{Created: s.Started, Position: endOfShard, Time: s.Closed / 1000, Shard: s.Number}.String()
}

// SequenceNumber returns that of a record.
func (s *Shard) SequenceNumber(r Record) string {
	return Sequence{Created: s.Started, Position: r.Position, Time: r.Arrival / 1000, Shard: s.Number}.String()
}

// Add adds a record that was written. Records come in the order in which they were given positions.
func (s *Shard) Add(r Record) {
	s.records = append(s.records, r)
	s.Next, s.last = max(s.Next, r.Position+1), max(s.last, r.Arrival)
}

func (s *Shard) open() bool { return s.Closed == 0 }

// close closes the shard.
func (s *Shard) close(now time.Time) { s.Closed = max(now.UnixMilli(), s.last, s.Created) }

// trim drops the records that are older than the horizon.
func (s *Shard) trim(horizon int64) {
	n := sort.Search(len(s.records), func(i int) bool { return s.records[i].Arrival >= horizon })
	s.records = s.records[n:]
}

// at returns the index of the first record at the position or after it.
func (s *Shard) at(position uint64) int {
	return sort.Search(len(s.records), func(i int) bool { return s.records[i].Position >= position })
}

// since returns the position of the first record that arrived at that time or later.
func (s *Shard) since(milliseconds int64) uint64 {
	i := sort.Search(len(s.records), func(i int) bool { return s.records[i].Arrival >= milliseconds })
	if i == len(s.records) {
		return s.written()
	}
	return s.records[i].Position
}

// written returns the position after the last record that was written. Those that are being written
// have greater ones.
func (s *Shard) written() uint64 {
	if len(s.records) == 0 {
		return 0
	}
	return s.records[len(s.records)-1].Position + 1
}

// meter makes the buckets of the shard's limits. Records that are larger than what a shard takes in
// a second drain a larger bucket, which fills no faster.
func (s *Shard) meter(maxRecordKiB int) {
	if s.writtenRecords == nil {
		s.writtenRecords, s.writtenBytes = newBucket(WriteRecordsPerSecond), newBucket(WriteBytesPerSecond)
		s.reads, s.readBytes = newBucket(ReadsPerSecond), newBucket(ReadBytesPerSecond)
		s.iterators = newBucket(IteratorsPerSecond)
	}
	s.writtenBytes.size = float64(max(WriteBytesPerSecond, maxRecordKiB<<10))
}

// takeWrite reports whether the shard takes a record of that size now.
func (s *Shard) takeWrite(now time.Time, size int) bool {
	if !s.writtenRecords.has(now, 1) || !s.writtenBytes.has(now, float64(size)) {
		return false
	}
	return s.writtenRecords.take(now, 1) && s.writtenBytes.take(now, float64(size))
}
