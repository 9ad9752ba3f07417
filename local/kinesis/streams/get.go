package streams

import (
	"time"
)

// Start is where an iterator starts: the arguments of GetShardIterator.
type Start struct {
	ShardID        string
	Type           string
	SequenceNumber string
	// Timestamp is in milliseconds since 1970, or nil.
	Timestamp *int64
}

// Iterator is a position in a shard.
type Iterator struct {
	Name     string
	Stream   int64 // its id
	Shard    int
	Position uint64 // of the next record, or before it
	// Made is when the iterator was returned, in milliseconds since 1970.
	Made int64
}

// GetShardIterator returns the iterator that starts there.
func (a *Account) GetShardIterator(now time.Time, name string, start Start) (Iterator, error) {
	stream, err := a.usable(now, name)
	if err != nil {
		return Iterator{}, err
	}
	shard, err := stream.shard(now, start.ShardID)
	if err != nil {
		return Iterator{}, err
	}
	position, err := stream.position(now, shard, start)
	if err != nil {
		return Iterator{}, err
	}
	shard.meter(stream.MaxRecordKiB)
	if !shard.iterators.take(now, 1) {
		return Iterator{}, throttled(name, shard.Number)
	}
	return Iterator{Name: name, Stream: stream.ID, Shard: shard.Number, Position: position, Made: now.UnixMilli()}, nil
}

// position returns the position at which an iterator starts.
func (s *Stream) position(now time.Time, shard *Shard, start Start) (uint64, error) {
	bySequence := start.Type == "AT_SEQUENCE_NUMBER" || start.Type == "AFTER_SEQUENCE_NUMBER"
	byTime := start.Type == "AT_TIMESTAMP"
	if bySequence != (start.SequenceNumber != "") || byTime != (start.Timestamp != nil) {
		return 0, Invalid("Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no "+
			"StartingSequenceNumber or (3) AT_TIMESTAMP and Timestamp. Request specified %s, StartingSequenceNumber %q, Timestamp %t.",
			start.Type, start.SequenceNumber, start.Timestamp != nil)
	}
	switch start.Type {
	case "TRIM_HORIZON":
		return 0, nil
	case "LATEST":
		return shard.written(), nil
	case "AT_TIMESTAMP":
		if *start.Timestamp > now.UnixMilli() {
			return 0, Invalid("The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: %d, currentTimestampInMillis: %d",
				*start.Timestamp, now.UnixMilli())
		}
		return shard.since(*start.Timestamp), nil
	case "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER":
		return s.parsePosition(shard, start)
	}
	return 0, violates("shardIteratorType", start.Type,
		"Member must satisfy enum value set: [AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER, TRIM_HORIZON, LATEST, AT_TIMESTAMP]")
}

func (s *Stream) parsePosition(shard *Shard, start Start) (uint64, error) {
	text := start.SequenceNumber
	sequence, err := ParseSequence(text)
	if err != nil {
		return 0, Invalid("StartingSequenceNumber %s used in GetShardIterator on shard %s in stream %s under account %s is invalid.", text, shard.ID(), s.Name, AccountID)
	}
	if sequence.Shard != shard.Number {
		return 0, Invalid("Invalid StartingSequenceNumber. It encodes %s, while it was used in a call to a shard with %s", ShardID(sequence.Shard), shard.ID())
	}
	if sequence.Created != shard.Started {
		return 0, Invalid("StartingSequenceNumber %s used in GetShardIterator on shard %s in stream %s under account %s is invalid because it did not come from this stream.",
			text, shard.ID(), s.Name, AccountID)
	}
	if start.Type == "AFTER_SEQUENCE_NUMBER" {
		return sequence.Position + 1, nil
	}
	return sequence.Position, nil
}

// Page is what GetRecords returns.
type Page struct {
	Shard   *Shard
	Records []Record
	// Next is where to read on, or nil at the end of a closed shard, which then has Children.
	Next     *Iterator
	Children []*Shard
	// MillisBehind is how old the next record is, or 0 if there is none.
	MillisBehind int64
}

// amzTime is how Kinesis writes times in messages.
const amzTime = "Mon Jan 02 15:04:05 MST 2006"

// GetRecords reads up to limit records, from the iterator on. Overhead is what the store adds to the
// data of each record, in bytes.
func (a *Account) GetRecords(now time.Time, it Iterator, limit, overhead int) (Page, error) {
	if limit < 1 {
		return Page{}, violates("limit", limit, "Member must have value greater than or equal to 1")
	}
	if limit > MaxGetRecords {
		return Page{}, Invalid("Limit %d is greater than %d.", limit, MaxGetRecords)
	}
	if age := now.UnixMilli() - it.Made; age > IteratorAge.Milliseconds() {
		return Page{}, failure("ExpiredIteratorException", "Iterator expired. The iterator was created at time %s while right now it is %s which is further in the future "+
			"than the tolerated delay of %d milliseconds.", time.UnixMilli(it.Made).UTC().Format(amzTime), now.UTC().Format(amzTime), IteratorAge.Milliseconds())
	}
	stream, err := a.usable(now, it.Name)
	if err != nil || stream.ID != it.Stream || it.Shard >= len(stream.Shards) || stream.expired(now, stream.Shards[it.Shard]) {
		return Page{}, notFound("Shard %s in stream %s under account %s does not exist", ShardID(it.Shard), it.Name, AccountID)
	}
	shard := stream.Shards[it.Shard]
	shard.meter(stream.MaxRecordKiB)
	shard.trim(stream.horizon(now))
	if now.Before(shard.blocked) || !shard.readBytes.has(now, 1) || !shard.reads.take(now, 1) {
		return Page{}, throttled(it.Name, shard.Number)
	}
	page := Page{Shard: shard}
	rest := shard.records[shard.at(it.Position):]
	size := 0
	for len(rest) > 0 && len(page.Records) < limit {
		n := int(rest[0].Place.Length) - overhead
		if size+n > MaxGetBytes && len(page.Records) > 0 {
			break
		}
		size += n
		page.Records, rest = append(page.Records, rest[0]), rest[1:]
	}
	shard.charge(now, size)
	page.end(stream, shard, rest, it, now)
	return page, nil
}

// charge counts what a read returned. Up to what the shard gives in a second is taken from the
// bucket; more blocks the shard until it could have given all of it, 5 s after 10 MiB.
func (s *Shard) charge(now time.Time, size int) {
	s.readBytes.tokens -= float64(size)
	if size > ReadBytesPerSecond {
		s.blocked = now.Add(time.Duration(size) * time.Second / ReadBytesPerSecond)
		s.readBytes.tokens, s.readBytes.at = ReadBytesPerSecond, s.blocked
	}
}

// end fills in what follows the records of a page.
func (p *Page) end(stream *Stream, shard *Shard, rest []Record, it Iterator, now time.Time) {
	if len(rest) > 0 {
		p.MillisBehind = max(0, now.UnixMilli()-rest[0].Arrival)
	} else if !shard.open() {
		for _, child := range stream.Shards {
			if child.Parent == shard.Number || child.Adjacent == shard.Number {
				p.Children = append(p.Children, child)
			}
		}
		return
	}
	next := it
	next.Made = now.UnixMilli()
	if n := len(p.Records); n > 0 {
		next.Position = p.Records[n-1].Position + 1
	}
	p.Next = &next
}
