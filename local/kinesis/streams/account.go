// Package streams is the state of Kinesis streams: what each operation changes, checks and answers,
// at a time that the caller gives. It does no I/O and is not safe for concurrent use.
package streams

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The modes and states of a stream.
const (
	Provisioned = "PROVISIONED"
	OnDemand    = "ON_DEMAND"

	Creating = "CREATING"
	Active   = "ACTIVE"
	Updating = "UPDATING"
	Deleting = "DELETING"
)

// Account holds the streams of an account in a region.
type Account struct {
	// Region is that of the ARNs.
	Region string
	// Transition is how long a stream is CREATING, UPDATING or DELETING.
	Transition time.Duration

	streams map[string]*Stream
	started int64 // the last value of Shard.Started or Stream.ID; never given twice
	calls   map[string]*bucket
}

// NewAccount returns an account without streams.
func NewAccount(region string, transition time.Duration) *Account {
	return &Account{Region: region, Transition: transition, streams: map[string]*Stream{}, calls: map[string]*bucket{}}
}

// Stream is a stream. Its exported fields are kept by the snapshot.
type Stream struct {
	Name string
	// ID differs from that of all other streams, and of one that had the name before.
	ID   int64
	Mode string
	// Created and Settled are in milliseconds since 1970. Until Settled, the stream is in Transition.
	Created, Settled int64
	Transition       string
	RetentionHours   int
	MaxRecordKiB     int
	Tags             map[string]string
	Shards           []*Shard
	// Updates are the times of UpdateShardCount, in milliseconds since 1970.
	Updates []int64

	listed *bucket
	opened []*Shard // the open shards by hash key, or nil after a change
}

type snapshot struct {
	Started int64
	Streams []*Stream
}

// Snapshot returns the streams without their records, for Restore.
func (a *Account) Snapshot() ([]byte, error) {
	return json.Marshal(snapshot{Started: a.started, Streams: a.sorted()})
}

// Restore replaces the streams by those of a snapshot.
func (a *Account) Restore(content []byte) error {
	var s snapshot
	if err := json.Unmarshal(content, &s); err != nil {
		return err
	}
	a.started, a.streams = s.Started, map[string]*Stream{}
	for _, stream := range s.Streams {
		a.streams[stream.Name] = stream
	}
	return nil
}

// Clone returns a copy that can be changed without the original; they share what counts calls.
func (a *Account) Clone() *Account {
	clone := *a
	clone.streams = make(map[string]*Stream, len(a.streams))
	for name, stream := range a.streams {
		copied := *stream
		copied.Tags, copied.Updates, copied.opened = maps.Clone(stream.Tags), slices.Clone(stream.Updates), nil
		copied.Shards = make([]*Shard, len(stream.Shards))
		for i, shard := range stream.Shards {
			own := *shard
			copied.Shards[i] = &own
		}
		clone.streams[name] = &copied
	}
	return &clone
}

// Shard returns a shard by the id of its stream and its number, or nil.
func (a *Account) Shard(stream int64, number int) *Shard {
	for _, s := range a.streams {
		if s.ID == stream && number >= 0 && number < len(s.Shards) {
			return s.Shards[number]
		}
	}
	return nil
}

// Oldest returns the first segment that has a record, or end if there is none before it. Expired
// records and deleted streams do not count.
func (a *Account) Oldest(now time.Time, end int32) int32 {
	a.settle(now)
	for _, stream := range a.streams {
		for _, shard := range stream.Shards {
			shard.trim(stream.horizon(now))
			if len(shard.records) > 0 {
				end = min(end, shard.records[0].Place.Segment)
			}
		}
	}
	return end
}

// Call counts a call of an operation. It returns LimitExceededException if there were too many
// within a second.
func (a *Account) Call(now time.Time, operation string) error {
	rate, limited := callsPerSecond[operation]
	if !limited {
		return nil
	}
	if a.calls[operation] == nil {
		a.calls[operation] = newBucket(rate)
	}
	if !a.calls[operation].take(now, 1) {
		return exceeded("Rate exceeded for account %s: %s can be called %v times a second.", AccountID, operation, rate)
	}
	return nil
}

const namePattern = `[a-zA-Z0-9_.-]+`

var nameFormat = regexp.MustCompile(`^` + namePattern + `$`)

// maxName is the length of a stream's name:
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
const maxName = 128

// CheckName returns an error unless a stream could have that name.
func CheckName(member, name string) error {
	switch {
	case name == "":
		return violates(member, name, "Member must have length greater than or equal to 1")
	case len(name) > maxName:
		return violates(member, name, "Member must have length less than or equal to 128")
	case !nameFormat.MatchString(name):
		return violates(member, name, "Member must satisfy regular expression pattern: "+namePattern)
	}
	return nil
}

// ARN returns the ARN of a stream.
func (a *Account) ARN(name string) string {
	return "arn:aws:kinesis:" + a.Region + ":" + AccountID + ":stream/" + name
}

// Name returns the name of a stream that a request names, by its name, its ARN, or both.
func (a *Account) Name(name, arn string) (string, error) {
	if arn == "" {
		if name == "" {
			return "", Invalid("Either StreamName or StreamARN must be given.")
		}
		return name, CheckName("streamName", name)
	}
	fromARN, ok := strings.CutPrefix(arn, a.ARN(""))
	switch {
	case !ok:
		return "", notFound("%s is not an ARN of a stream of account %s in %s.", arn, AccountID, a.Region)
	case name != "" && name != fromARN:
		return "", Invalid("StreamName %s and StreamARN %s name different streams.", name, arn)
	}
	return fromARN, CheckName("streamARN", fromARN)
}

// settle ends the transitions whose time is over.
func (a *Account) settle(now time.Time) {
	for name, stream := range a.streams {
		if stream.Transition == Active || now.UnixMilli() < stream.Settled {
			continue
		}
		if stream.Transition == Deleting {
			delete(a.streams, name)
		}
		stream.Transition = Active
	}
}

// find returns a stream in any state.
func (a *Account) find(now time.Time, name string) (*Stream, error) {
	a.settle(now)
	stream := a.streams[name]
	if stream == nil {
		return nil, streamNotFound(name)
	}
	return stream, nil
}

// usable returns a stream whose records can be written and read.
func (a *Account) usable(now time.Time, name string) (*Stream, error) {
	stream, err := a.find(now, name)
	if err == nil && (stream.Transition == Creating || stream.Transition == Deleting) {
		return nil, streamNotFound(name)
	}
	return stream, err
}

// active returns a stream that can be changed.
func (a *Account) active(now time.Time, name string) (*Stream, error) {
	stream, err := a.find(now, name)
	if err == nil && stream.Transition != Active {
		return nil, inUse("Stream %s under account %s not ACTIVE, instead in state %s", name, AccountID, stream.Transition)
	}
	return stream, err
}

func (s *Stream) begin(now time.Time, transition string, duration time.Duration) {
	s.Transition, s.Settled = transition, now.Add(duration).UnixMilli()
}

func (s *Stream) horizon(now time.Time) int64 {
	return now.Add(-time.Duration(s.RetentionHours) * time.Hour).UnixMilli()
}

// expired reports whether a closed shard and all of its records are past the retention period.
func (s *Stream) expired(now time.Time, shard *Shard) bool {
	return !shard.open() && shard.Closed < s.horizon(now)
}

// shard returns a shard by its id.
func (s *Stream) shard(now time.Time, id string) (*Shard, error) {
	number, ok := parseShardID(id)
	if !ok || number >= len(s.Shards) || s.expired(now, s.Shards[number]) {
		return nil, notFound("Could not find shard %s in stream %s under account %s.", id, s.Name, AccountID)
	}
	return s.Shards[number], nil
}

// open returns the open shards by hash key. The caller must not change them.
func (s *Stream) open() []*Shard {
	if s.opened != nil {
		return s.opened
	}
	for _, shard := range s.Shards {
		if shard.open() {
			s.opened = append(s.opened, shard)
		}
	}
	slices.SortFunc(s.opened, func(a, b *Shard) int { return a.From.Compare(b.From) })
	return s.opened
}

func (a *Account) sorted() []*Stream {
	all := slices.Collect(maps.Values(a.streams))
	slices.SortFunc(all, func(x, y *Stream) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// unique returns a time in seconds, now or later, that no stream and no shard was given before.
func (a *Account) unique(now time.Time) int64 {
	a.started = max(a.started+1, now.Unix())
	return a.started
}
