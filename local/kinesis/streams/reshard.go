package streams

import (
	"slices"
	"time"
)

// SplitShard splits a shard into two, of which the second begins with the hash key.
func (a *Account) SplitShard(now time.Time, name, id string, key HashKey) error {
	stream, err := a.resharded(now, name)
	if err != nil {
		return err
	}
	shard, err := stream.shard(now, id)
	if err != nil {
		return err
	}
	if !shard.open() {
		return Invalid("Shard %s in stream %s under account %s is closed and can not be split.", id, name, AccountID)
	}
	if key.Compare(shard.From.plus(1)) <= 0 || key.Compare(shard.To) >= 0 {
		return Invalid("NewStartingHashKey %s used in SplitShard() on shard %s in stream %s under account %s is not both greater than one plus the shard's "+
			"StartingHashKey %s and less than the shard's EndingHashKey %s.", key, id, name, AccountID, shard.From, shard.To)
	}
	if err := a.checkShards(len(stream.open())+1, 1); err != nil {
		return err
	}
	a.split(now, stream, shard, key)
	stream.begin(now, Updating, a.Transition)
	return nil
}

// MergeShards merges two adjacent shards.
func (a *Account) MergeShards(now time.Time, name, id, adjacent string) error {
	stream, err := a.resharded(now, name)
	if err != nil {
		return err
	}
	first, err := stream.shard(now, id)
	if err != nil {
		return err
	}
	second, err := stream.shard(now, adjacent)
	if err != nil {
		return err
	}
	touch := first.To != MaxHashKey && first.To.plus(1) == second.From || second.To != MaxHashKey && second.To.plus(1) == first.From
	if !touch || !first.open() || !second.open() {
		return Invalid("Shards %s and %s in stream %s under account %s are not an adjacent pair of shards eligible for merging", id, adjacent, name, AccountID)
	}
	a.merge(now, stream, first, second)
	stream.begin(now, Updating, a.Transition)
	return nil
}

// resharded returns a stream whose shards can be changed.
func (a *Account) resharded(now time.Time, name string) (*Stream, error) {
	stream, err := a.active(now, name)
	if err == nil && stream.Mode == OnDemand {
		return nil, Unfit("Stream %s under account %s is in mode ON_DEMAND, in which shards can not be changed.", name, AccountID)
	}
	return stream, err
}

// split closes the shard and returns its children.
func (a *Account) split(now time.Time, stream *Stream, shard *Shard, key HashKey) (low, high *Shard) {
	shard.close(now)
	started := a.unique(now)
	low = stream.add(now, started, Shard{From: shard.From, To: key.minus(1), Parent: shard.Number, Adjacent: -1})
	high = stream.add(now, started, Shard{From: key, To: shard.To, Parent: shard.Number, Adjacent: -1})
	low.Created, high.Created = shard.Closed, shard.Closed
	return low, high
}

// merge closes the shards and returns their child.
func (a *Account) merge(now time.Time, stream *Stream, first, second *Shard) *Shard {
	first.close(now)
	second.close(now)
	from, to := first.From, second.To
	if second.From.Compare(first.From) < 0 {
		from, to = second.From, first.To
	}
	child := stream.add(now, a.unique(now), Shard{From: from, To: to, Parent: first.Number, Adjacent: second.Number})
	child.Created = max(first.Closed, second.Closed)
	return child
}

// dayMillis is the window of MaxShardUpdates.
const dayMillis = 24 * 3600 * 1000

// UpdateShardCount splits and merges shards until the stream has that many of equal size. It returns
// how many were open before.
func (a *Account) UpdateShardCount(now time.Time, name string, target int) (int, error) {
	if target < 1 {
		return 0, violates("targetShardCount", target, "Member must have value greater than or equal to 1")
	}
	stream, err := a.resharded(now, name)
	if err != nil {
		return 0, err
	}
	open := stream.open()
	switch {
	case target > MaxStreamShards:
		return 0, exceeded("A stream can have at most %d shards, and %d were requested.", MaxStreamShards, target)
	case target > 2*len(open):
		return 0, Invalid("UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: %d Target shard count: %d", len(open), target)
	case 2*target < len(open):
		return 0, Invalid("UpdateShardCount cannot scale down below half your current open shard count. Current open shard count: %d Target shard count: %d", len(open), target)
	}
	if err := a.checkShards(target, target-len(open)); err != nil {
		return 0, err
	}
	stream.Updates = slices.DeleteFunc(stream.Updates, func(at int64) bool { return at <= now.UnixMilli()-dayMillis })
	if len(stream.Updates) >= MaxShardUpdates {
		return 0, exceeded("Stream %s under account %s was scaled %d times within 24 hours, the limit.", name, AccountID, MaxShardUpdates)
	}
	stream.Updates = append(stream.Updates, now.UnixMilli())
	a.scale(now, stream, uniform(target))
	stream.begin(now, Updating, a.Transition)
	return len(open), nil
}

// scale splits the open shards where a new range begins, and merges what lies within one.
func (a *Account) scale(now time.Time, stream *Stream, starts []HashKey) {
	for _, start := range starts {
		for _, shard := range stream.open() {
			if shard.From.Compare(start) < 0 && start.Compare(shard.To) <= 0 {
				a.split(now, stream, shard, start)
			}
		}
	}
	var before *Shard
	for _, shard := range stream.open() {
		if _, begins := slices.BinarySearchFunc(starts, shard.From, HashKey.Compare); !begins {
			shard = a.merge(now, stream, before, shard)
		}
		before = shard
	}
}
