package kinesis

import (
	"time"

	"github.com/pinflow/pinflow/local/kinesis/streams"
)

// change returns the handler of an operation on a stream that answers nothing.
func (s *Server) change(in target, apply func(a *streams.Account, now time.Time, name string) error) (any, error) {
	return none{}, s.broker.change(func(a *streams.Account, now time.Time) error {
		name, err := a.Name(in.StreamName, in.StreamARN)
		if err != nil {
			return err
		}
		return apply(a, now, name)
	})
}

type createStream struct {
	StreamName         string
	ShardCount         *int
	StreamModeDetails  streamMode
	MaxRecordSizeInKiB int
	Tags               map[string]string
}

func (s *Server) createStream(in createStream) (any, error) {
	return none{}, s.broker.change(func(a *streams.Account, now time.Time) error {
		return a.CreateStream(now, streams.Create{
			Name: in.StreamName, Shards: in.ShardCount, Mode: in.StreamModeDetails.StreamMode, MaxRecordKiB: in.MaxRecordSizeInKiB, Tags: in.Tags,
		})
	})
}

func (s *Server) deleteStream(in target) (any, error) {
	return s.change(in, (*streams.Account).DeleteStream)
}

type splitShard struct {
	target
	ShardToSplit, NewStartingHashKey string
}

func (s *Server) splitShard(in splitShard) (any, error) {
	key, err := streams.ParseHashKey("newStartingHashKey", in.NewStartingHashKey)
	if err != nil {
		return nil, err
	}
	return s.change(in.target, func(a *streams.Account, now time.Time, name string) error {
		return a.SplitShard(now, name, in.ShardToSplit, key)
	})
}

type mergeShards struct {
	target
	ShardToMerge, AdjacentShardToMerge string
}

func (s *Server) mergeShards(in mergeShards) (any, error) {
	return s.change(in.target, func(a *streams.Account, now time.Time, name string) error {
		return a.MergeShards(now, name, in.ShardToMerge, in.AdjacentShardToMerge)
	})
}

type updateShardCount struct {
	target
	ScalingType      string
	TargetShardCount int
}

type updateShardCountAnswer struct {
	StreamName, StreamARN               string
	CurrentShardCount, TargetShardCount int
}

// uniformScaling is the only ScalingType there is.
const uniformScaling = "UNIFORM_SCALING"

func (s *Server) updateShardCount(in updateShardCount) (any, error) {
	if in.ScalingType != uniformScaling {
		return nil, streams.Unfit("1 validation error detected: Value '%s' at 'scalingType' failed to satisfy constraint: Member must satisfy enum value set: [%s]",
			in.ScalingType, uniformScaling)
	}
	out := updateShardCountAnswer{TargetShardCount: in.TargetShardCount}
	_, err := s.change(in.target, func(a *streams.Account, now time.Time, name string) (err error) {
		out.StreamName, out.StreamARN = name, a.ARN(name)
		out.CurrentShardCount, err = a.UpdateShardCount(now, name, in.TargetShardCount)
		return err
	})
	return out, err
}

type retention struct {
	target
	RetentionPeriodHours int
}

func (s *Server) retention(increase bool) func(retention) (any, error) {
	return func(in retention) (any, error) {
		return s.change(in.target, func(a *streams.Account, now time.Time, name string) error {
			return a.SetRetention(now, name, in.RetentionPeriodHours, increase)
		})
	}
}

type updateMaxRecordSize struct {
	target
	MaxRecordSizeInKiB int
}

func (s *Server) updateMaxRecordSize(in updateMaxRecordSize) (any, error) {
	return s.change(in.target, func(a *streams.Account, now time.Time, name string) error {
		return a.SetMaxRecord(now, name, in.MaxRecordSizeInKiB)
	})
}

type addTags struct {
	target
	Tags map[string]string
}

func (s *Server) addTags(in addTags) (any, error) {
	return s.change(in.target, func(a *streams.Account, now time.Time, name string) error {
		return a.AddTags(now, name, in.Tags)
	})
}

type removeTags struct {
	target
	TagKeys []string
}

func (s *Server) removeTags(in removeTags) (any, error) {
	return s.change(in.target, func(a *streams.Account, now time.Time, name string) error {
		return a.RemoveTags(now, name, in.TagKeys)
	})
}

type listTags struct {
	target
	ExclusiveStartTagKey string
	Limit                *int
}

type listTagsAnswer struct {
	Tags        []streams.Tag
	HasMoreTags bool
}

func (s *Server) listTags(in listTags) (any, error) {
	var out listTagsAnswer
	err := s.broker.look(func(a *streams.Account, now time.Time) error {
		name, err := a.Name(in.StreamName, in.StreamARN)
		if err != nil {
			return err
		}
		out.Tags, out.HasMoreTags, err = a.Tags(now, name, in.ExclusiveStartTagKey, or(in.Limit, streams.MaxTags))
		return err
	})
	return out, err
}
