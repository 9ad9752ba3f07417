package streams

import (
	"time"
	"unicode/utf8"
)

// maxPartitionKey is in characters:
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
const maxPartitionKey = 256

// Put is a record to be written.
type Put struct {
	PartitionKey    string
	ExplicitHashKey string
	// Size is that of the data in bytes.
	Size int
}

func (p Put) size() int { return len(p.PartitionKey) + p.Size }

// Placement is where a record belongs. Its owner writes it, and then adds it to the shard.
type Placement struct {
	Stream *Stream
	Shard  *Shard
	Record Record
}

// SequenceNumber returns that of the record.
func (p Placement) SequenceNumber() string { return p.Shard.SequenceNumber(p.Record) }

// PutRecord gives a record its place. After is SequenceNumberForOrdering, and may be empty.
func (a *Account) PutRecord(now time.Time, name string, put Put, after string) (Placement, error) {
	placements, failures, err := a.put(now, name, []Put{put}, after)
	if err == nil {
		err = failures[0]
	}
	if err != nil {
		return Placement{}, err
	}
	return placements[0], nil
}

// PutRecords gives each record its place, or an error if its shard is throttled.
func (a *Account) PutRecords(now time.Time, name string, puts []Put) ([]Placement, []error, error) {
	switch total := 0; {
	case len(puts) == 0:
		return nil, nil, violates("records", "[]", "Member must have length greater than or equal to 1")
	case len(puts) > MaxPutRecords:
		return nil, nil, Unfit("1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length less than or equal to %d", MaxPutRecords)
	default:
		for _, put := range puts {
			total += put.size()
		}
		if total > MaxPutBytes {
			return nil, nil, Invalid("Records size exceeds %d MiB limit: %d bytes", MaxPutBytes/mib, total)
		}
	}
	return a.put(now, name, puts, "")
}

func (a *Account) put(now time.Time, name string, puts []Put, after string) ([]Placement, []error, error) {
	keys := make([]HashKey, len(puts))
	for i, put := range puts {
		key, err := put.hash()
		if err != nil {
			return nil, nil, err
		}
		keys[i] = key
	}
	stream, err := a.usable(now, name)
	if err != nil {
		return nil, nil, err
	}
	for _, put := range puts {
		if limit := stream.MaxRecordKiB << 10; put.size() > limit {
			return nil, nil, Invalid("Record of %d bytes (data and partition key) exceeds the maximum record size of stream %s, %d bytes.", put.size(), name, limit)
		}
	}
	open := stream.open()
	placements, failures := make([]Placement, len(puts)), make([]error, len(puts))
	for i, put := range puts {
		shard := find(open, keys[i])
		if err := stream.checkOrder(now, after); err != nil {
			return nil, nil, err
		}
		shard.meter(stream.MaxRecordKiB)
		if !shard.takeWrite(now, put.size()) {
			failures[i] = throttled(name, shard.Number)
			continue
		}
		shard.last = max(shard.last, now.UnixMilli())
		placements[i] = Placement{stream, shard, Record{Position: shard.Next, Arrival: shard.last}}
		shard.Next++
	}
	return placements, failures, nil
}

// checkOrder checks SequenceNumberForOrdering. Positions ascend anyway, so it orders nothing more.
func (s *Stream) checkOrder(now time.Time, after string) error {
	if after == "" {
		return nil
	}
	sequence, err := ParseSequence(after)
	if err != nil || sequence.Time > now.Unix()+1 && sequence.Time > s.Created/1000+1 {
		return Invalid("ExclusiveMinimumSequenceNumber %s used in PutRecord on stream %s under account %s is invalid.", after, s.Name, AccountID)
	}
	return nil
}

// hash returns the hash key of a record.
func (p Put) hash() (HashKey, error) {
	switch n := utf8.RuneCountInString(p.PartitionKey); {
	case n < 1:
		return HashKey{}, violates("partitionKey", "", "Member must have length greater than or equal to 1")
	case n > maxPartitionKey:
		return HashKey{}, violates("partitionKey", p.PartitionKey, "Member must have length less than or equal to 256")
	case p.Size > MaxRecordKiB<<10:
		return HashKey{}, Unfit("1 validation error detected: Value at 'data' failed to satisfy constraint: Member must have length less than or equal to %d", MaxRecordKiB<<10)
	case p.ExplicitHashKey != "":
		return ParseHashKey("explicitHashKey", p.ExplicitHashKey)
	}
	return Hash(p.PartitionKey), nil
}

// find returns the shard of a hash key; the open shards cover all of them.
func find(open []*Shard, key HashKey) *Shard {
	low, high := 0, len(open)-1
	for low < high {
		middle := (low + high + 1) / 2
		if open[middle].From.Compare(key) <= 0 {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return open[low]
}
