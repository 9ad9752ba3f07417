package streams

import (
	"maps"
	"time"
)

// Create are the arguments of CreateStream; zero values are defaults.
type Create struct {
	Name         string
	Shards       *int
	Mode         string
	MaxRecordKiB int
	Tags         map[string]string
}

// CreateStream creates a stream.
func (a *Account) CreateStream(now time.Time, c Create) error {
	if err := CheckName("streamName", c.Name); err != nil {
		return err
	}
	count, err := c.count()
	if err != nil {
		return err
	}
	if c.MaxRecordKiB == 0 {
		c.MaxRecordKiB = DefaultRecordKiB
	}
	if err := checkRecordKiB(c.MaxRecordKiB); err != nil {
		return err
	}
	if err := checkTags(c.Tags); err != nil {
		return err
	}
	a.settle(now)
	if a.streams[c.Name] != nil {
		return inUse("Stream %s under account %s already exists.", c.Name, AccountID)
	}
	creating := 0
	for _, stream := range a.streams {
		if stream.Transition == Creating {
			creating++
		}
	}
	if creating >= MaxCreating {
		return exceeded("Account %s has %d streams in state CREATING, the limit. Wait until they are ACTIVE.", AccountID, creating)
	}
	if err := a.checkShards(count, count); err != nil {
		return err
	}
	stream := &Stream{
		Name: c.Name, ID: a.unique(now), Mode: c.Mode, Created: now.UnixMilli(), RetentionHours: MinRetentionHours,
		MaxRecordKiB: c.MaxRecordKiB, Tags: maps.Clone(c.Tags),
	}
	if stream.Tags == nil {
		stream.Tags = map[string]string{}
	}
	starts := uniform(count)
	for i, from := range starts {
		to := MaxHashKey
		if i+1 < count {
			to = starts[i+1].minus(1)
		}
		stream.add(now, stream.ID, Shard{From: from, To: to, Parent: -1, Adjacent: -1})
	}
	stream.begin(now, Creating, a.Transition)
	a.streams[c.Name] = stream
	return nil
}

// count returns the number of shards of a new stream.
func (c *Create) count() (int, error) {
	switch {
	case c.Mode == OnDemand && c.Shards != nil:
		return 0, Invalid("ShardCount can not be set for a stream in mode ON_DEMAND.")
	case c.Mode == OnDemand:
		return OnDemandShards, nil
	case c.Mode != "" && c.Mode != Provisioned:
		return 0, violates("streamModeDetails.streamMode", c.Mode, "Member must satisfy enum value set: [PROVISIONED, ON_DEMAND]")
	case c.Shards == nil:
		return 0, Unfit("ShardCount is required for a stream in mode PROVISIONED.")
	case *c.Shards < 1:
		return 0, violates("shardCount", *c.Shards, "Member must have value greater than or equal to 1")
	}
	c.Mode = Provisioned
	return *c.Shards, nil
}

// checkShards returns an error if a stream would have too many open shards, or the account.
func (a *Account) checkShards(stream, additional int) error {
	if stream > MaxStreamShards {
		return exceeded("A stream can have at most %d shards, and %d were requested.", MaxStreamShards, stream)
	}
	count := 0
	for _, s := range a.streams {
		count += len(s.open())
	}
	if count+additional > MaxAccountShards {
		return exceeded("This request would exceed the shard limit for the account %s in %s. Current shard count for the account: %d. Limit: %d. "+
			"Number of additional shards that would have resulted from this request: %d.", AccountID, a.Region, count, MaxAccountShards, additional)
	}
	return nil
}

// DeleteStream deletes a stream in any state.
func (a *Account) DeleteStream(now time.Time, name string) error {
	stream, err := a.find(now, name)
	if err != nil {
		return err
	}
	if stream.Transition == Deleting {
		return inUse("Stream %s under account %s not ACTIVE, instead in state %s", name, AccountID, Deleting)
	}
	stream.begin(now, Deleting, a.Transition)
	a.settle(now)
	return nil
}

// SetRetention sets the retention period; increase tells IncreaseStreamRetentionPeriod from
// DecreaseStreamRetentionPeriod. Records that have expired before do not come back.
func (a *Account) SetRetention(now time.Time, name string, hours int, increase bool) error {
	stream, err := a.active(now, name)
	if err != nil {
		return err
	}
	switch {
	case hours < MinRetentionHours:
		return Invalid("Minimum allowed retention period is %d hours. Requested retention period (%d hours) is too short.", MinRetentionHours, hours)
	case hours > MaxRetentionHours:
		return Invalid("Maximum allowed retention period is %d hours. Requested retention period (%d hours) is too long.", MaxRetentionHours, hours)
	case increase && hours < stream.RetentionHours:
		return Invalid("Requested retention period (%d hours) for stream %s can not be shorter than existing retention period (%d hours). "+
			"Use DecreaseRetentionPeriod API.", hours, name, stream.RetentionHours)
	case !increase && hours > stream.RetentionHours:
		return Invalid("Requested retention period (%d hours) for stream %s can not be longer than existing retention period (%d hours). "+
			"Use IncreaseRetentionPeriod API.", hours, name, stream.RetentionHours)
	}
	for _, shard := range stream.Shards {
		shard.trim(stream.horizon(now))
	}
	stream.RetentionHours = hours
	return nil
}

// SetMaxRecord sets the size of the largest record of a stream, in KiB.
func (a *Account) SetMaxRecord(now time.Time, name string, kib int) error {
	if err := checkRecordKiB(kib); err != nil {
		return err
	}
	stream, err := a.active(now, name)
	if err == nil {
		stream.MaxRecordKiB = kib
	}
	return err
}

func checkRecordKiB(kib int) error {
	if kib < DefaultRecordKiB {
		return violates("maxRecordSizeInKiB", kib, "Member must have value greater than or equal to 1024")
	}
	if kib > MaxRecordKiB {
		return violates("maxRecordSizeInKiB", kib, "Member must have value less than or equal to 10240")
	}
	return nil
}

// add adds an open shard. Those that it replaces are closed before.
func (s *Stream) add(now time.Time, started int64, shard Shard) *Shard {
	shard.Number, shard.Created, shard.Started, shard.Next = len(s.Shards), now.UnixMilli(), started, 1
	s.Shards, s.opened = append(s.Shards, &shard), nil
	return &shard
}
