package streams

import (
	"time"
)

// Description is what DescribeStream and DescribeStreamSummary say of a stream.
type Description struct {
	*Stream
	ARN, Status string
	OpenShards  int
}

func (a *Account) describe(stream *Stream) Description {
	return Description{Stream: stream, ARN: a.ARN(stream.Name), Status: stream.Transition, OpenShards: len(stream.open())}
}

// Describe describes a stream in any state.
func (a *Account) Describe(now time.Time, name string) (Description, error) {
	stream, err := a.find(now, name)
	if err != nil {
		return Description{}, err
	}
	return a.describe(stream), nil
}

// DescribeShards describes a stream with up to limit of its shards, after the one with that id, and
// reports whether there are more.
func (a *Account) DescribeShards(now time.Time, name, after string, limit int) (Description, []*Shard, bool, error) {
	if limit < 1 {
		return Description{}, nil, false, violates("limit", limit, "Member must have value greater than or equal to 1")
	}
	stream, err := a.find(now, name)
	if err != nil {
		return Description{}, nil, false, err
	}
	shards, err := stream.after(now, after)
	if err != nil {
		return Description{}, nil, false, err
	}
	limit = min(limit, MaxDescribeShards)
	return a.describe(stream), shards[:min(limit, len(shards))], len(shards) > limit, nil
}

// List returns up to limit streams after the name, sorted, and whether there are more.
func (a *Account) List(now time.Time, after string, limit int) (list []Description, more bool, err error) {
	if limit < 1 {
		return nil, false, violates("limit", limit, "Member must have value greater than or equal to 1")
	}
	a.settle(now)
	for _, stream := range a.sorted() {
		if stream.Name <= after {
			continue
		}
		if len(list) == min(limit, MaxListStreams) {
			return list, true, nil
		}
		list = append(list, a.describe(stream))
	}
	return list, false, nil
}

// after returns the shards that have not expired, after the one with that id.
func (s *Stream) after(now time.Time, id string) ([]*Shard, error) {
	from := 0
	if id != "" {
		number, ok := parseShardID(id)
		if !ok {
			return nil, Invalid("%s is not the id of a shard.", id)
		}
		from = number + 1
	}
	var shards []*Shard
	for _, shard := range s.Shards[min(from, len(s.Shards)):] {
		if !s.expired(now, shard) {
			shards = append(shards, shard)
		}
	}
	return shards, nil
}

// Filter is the ShardFilter of ListShards.
type Filter struct {
	Type    string
	ShardID string
	// Timestamp is in milliseconds since 1970, or nil.
	Timestamp *int64
}

// Query are the arguments of ListShards; zero values are defaults.
type Query struct {
	Name string
	// Created is StreamCreationTimestamp in milliseconds since 1970, or nil.
	Created *int64
	After   string
	Filter  Filter
	Limit   int
	// ID is that of the stream to which a token belongs, or 0.
	ID int64
}

// ListShards lists shards, and reports whether there are more.
func (a *Account) ListShards(now time.Time, q Query) (stream *Stream, shards []*Shard, more bool, err error) {
	if q.Limit < 1 || q.Limit > maxResults {
		return nil, nil, false, violates("maxResults", q.Limit, "Member must have value between 1 and 10000")
	}
	if stream, err = a.find(now, q.Name); err != nil {
		return nil, nil, false, err
	}
	if q.ID != 0 && q.ID != stream.ID || q.Created != nil && *q.Created/1000 != stream.Created/1000 {
		return nil, nil, false, streamNotFound(q.Name)
	}
	if stream.listed == nil {
		stream.listed = newBucket(ListShardsPerSecond)
	}
	if !stream.listed.take(now, 1) {
		return nil, nil, false, exceeded("Rate exceeded for stream %s under account %s.", q.Name, AccountID)
	}
	matches, err := q.Filter.matcher(now, stream)
	if err != nil {
		return nil, nil, false, err
	}
	all, err := stream.after(now, q.After)
	if err != nil {
		return nil, nil, false, err
	}
	limit := min(q.Limit, MaxListShards)
	for _, shard := range all {
		if !matches(shard) {
			continue
		}
		if len(shards) == limit {
			return stream, shards, true, nil
		}
		shards = append(shards, shard)
	}
	return stream, shards, false, nil
}

// matcher returns which shards the filter lets through:
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ShardFilter.html
func (f Filter) matcher(now time.Time, stream *Stream) (func(*Shard) bool, error) {
	horizon := max(stream.horizon(now), stream.Created)
	openAt := func(at int64) func(*Shard) bool {
		return func(s *Shard) bool { return s.Created <= at && (s.open() || s.Closed >= at) }
	}
	if (f.Type == "AT_TIMESTAMP" || f.Type == "FROM_TIMESTAMP") != (f.Timestamp != nil) || (f.Type == "AFTER_SHARD_ID") != (f.ShardID != "") {
		return nil, Invalid("A ShardFilter of type %q needs Timestamp with AT_TIMESTAMP and FROM_TIMESTAMP alone, and ShardId with AFTER_SHARD_ID alone.", f.Type)
	}
	switch f.Type {
	case "", "FROM_TRIM_HORIZON":
		return func(*Shard) bool { return true }, nil
	case "AT_TRIM_HORIZON":
		return openAt(horizon), nil
	case "AT_LATEST":
		return (*Shard).open, nil
	case "AT_TIMESTAMP":
		return openAt(*f.Timestamp), nil
	case "FROM_TIMESTAMP":
		at := max(horizon, *f.Timestamp)
		return func(s *Shard) bool { return s.open() || s.Closed >= at }, nil
	case "AFTER_SHARD_ID":
		number, ok := parseShardID(f.ShardID)
		if !ok {
			return nil, Invalid("%s is not the id of a shard.", f.ShardID)
		}
		return func(s *Shard) bool { return s.Number > number }, nil
	}
	return nil, violates("shardFilter.type", f.Type,
		"Member must satisfy enum value set: [AFTER_SHARD_ID, AT_TRIM_HORIZON, FROM_TRIM_HORIZON, AT_LATEST, AT_TIMESTAMP, FROM_TIMESTAMP]")
}
