package kinesis

import (
	"time"

	"github.com/pinflow/pinflow/local/kinesis/streams"
)

// description is what DescribeStream and DescribeStreamSummary have in common.
type description struct {
	StreamName, StreamARN   string
	StreamStatus            string
	StreamModeDetails       streamMode
	StreamCreationTimestamp epoch
	RetentionPeriodHours    int
	EncryptionType          string
	EnhancedMonitoring      []monitoring
}

// monitoring says that no shard is monitored on its own.
type monitoring struct{ ShardLevelMetrics []string }

func describe(d streams.Description) description {
	return description{
		StreamName: d.Name, StreamARN: d.ARN, StreamStatus: d.Status, StreamModeDetails: streamMode{d.Mode},
		StreamCreationTimestamp: epochOf(d.Created), RetentionPeriodHours: d.RetentionHours, EncryptionType: encryption,
		EnhancedMonitoring: []monitoring{{[]string{}}},
	}
}

type describeStream struct {
	target
	ExclusiveStartShardID string `json:"ExclusiveStartShardId"`
	Limit                 *int
}

type describeStreamAnswer struct {
	StreamDescription struct {
		description
		Shards        []shard
		HasMoreShards bool
	}
}

func (s *Server) describeStream(in describeStream) (any, error) {
	var out describeStreamAnswer
	err := s.broker.look(func(a *streams.Account, now time.Time) error {
		name, err := a.Name(in.StreamName, in.StreamARN)
		if err != nil {
			return err
		}
		d, shards, more, err := a.DescribeShards(now, name, in.ExclusiveStartShardID, or(in.Limit, streams.MaxDescribeShards))
		if err != nil {
			return err
		}
		out.StreamDescription.description, out.StreamDescription.HasMoreShards = describe(d), more
		out.StreamDescription.Shards = shardsOf(shards)
		return nil
	})
	return out, err
}

type describeStreamSummaryAnswer struct {
	StreamDescriptionSummary struct {
		description
		OpenShardCount, ConsumerCount, MaxRecordSizeInKiB int
	}
}

func (s *Server) describeStreamSummary(in target) (any, error) {
	var out describeStreamSummaryAnswer
	err := s.broker.look(func(a *streams.Account, now time.Time) error {
		name, err := a.Name(in.StreamName, in.StreamARN)
		if err != nil {
			return err
		}
		d, err := a.Describe(now, name)
		if err != nil {
			return err
		}
		summary := &out.StreamDescriptionSummary
		summary.description, summary.OpenShardCount, summary.MaxRecordSizeInKiB = describe(d), d.OpenShards, d.MaxRecordKiB
		return nil
	})
	return out, err
}

type listStreams struct {
	ExclusiveStartStreamName, NextToken string
	Limit                               *int
}

type streamSummary struct {
	StreamName, StreamARN, StreamStatus string
	StreamModeDetails                   streamMode
	StreamCreationTimestamp             epoch
}

type listStreamsAnswer struct {
	StreamNames     []string
	StreamSummaries []streamSummary
	HasMoreStreams  bool
	NextToken       string `json:",omitempty"`
}

const streamsToken = "streams"

func (s *Server) listStreams(in listStreams) (any, error) {
	after := in.ExclusiveStartStreamName
	if in.NextToken != "" {
		if err := s.unseal(streamsToken, in.NextToken, &after); err != nil {
			return nil, streams.Invalid("NextToken is invalid.")
		}
	}
	out := listStreamsAnswer{StreamNames: []string{}, StreamSummaries: []streamSummary{}}
	err := s.broker.look(func(a *streams.Account, now time.Time) error {
		list, more, err := a.List(now, after, or(in.Limit, streams.MaxListStreams))
		for _, d := range list {
			out.StreamNames = append(out.StreamNames, d.Name)
			out.StreamSummaries = append(out.StreamSummaries, streamSummary{d.Name, d.ARN, d.Status, streamMode{d.Mode}, epochOf(d.Created)})
		}
		if more {
			out.HasMoreStreams, out.NextToken = true, s.seal(streamsToken, out.StreamNames[len(out.StreamNames)-1])
		}
		return err
	})
	return out, err
}

type listShards struct {
	target
	StreamCreationTimestamp *epoch
	ExclusiveStartShardID   string `json:"ExclusiveStartShardId"`
	NextToken               string
	MaxResults              *int
	ShardFilter             struct {
		Type      string
		ShardID   string `json:"ShardId"`
		Timestamp *epoch
	}
}

type listShardsAnswer struct {
	Shards    []shard
	NextToken string `json:",omitempty"`
}

// nextShards is the content of a NextToken of ListShards.
type nextShards struct {
	Query streams.Query
	Made  int64 // in milliseconds since 1970
}

const shardsToken = "shards"

func (s *Server) listShards(in listShards) (any, error) {
	out := listShardsAnswer{Shards: []shard{}}
	err := s.broker.look(func(a *streams.Account, now time.Time) error {
		query, err := s.query(a, now, in)
		if err != nil {
			return err
		}
		stream, shards, more, err := a.ListShards(now, query)
		if err != nil {
			return err
		}
		out.Shards = shardsOf(shards)
		if more {
			query.ID, query.After = stream.ID, shards[len(shards)-1].ID()
			out.NextToken = s.seal(shardsToken, nextShards{query, now.UnixMilli()})
		}
		return nil
	})
	return out, err
}

// query returns what a request asks for, which its token says if it has one.
func (s *Server) query(a *streams.Account, now time.Time, in listShards) (streams.Query, error) {
	filter := streams.Filter{Type: in.ShardFilter.Type, ShardID: in.ShardFilter.ShardID, Timestamp: in.ShardFilter.Timestamp.milliseconds()}
	limit := or(in.MaxResults, streams.MaxListShards)
	if in.NextToken == "" {
		name, err := a.Name(in.StreamName, in.StreamARN)
		return streams.Query{Name: name, Created: in.StreamCreationTimestamp.milliseconds(), After: in.ExclusiveStartShardID, Filter: filter, Limit: limit}, err
	}
	if in.StreamName != "" || in.ExclusiveStartShardID != "" || in.StreamCreationTimestamp != nil {
		return streams.Query{}, streams.Invalid("NextToken and StreamName, StreamCreationTimestamp or ExclusiveStartShardId cannot be provided together.")
	}
	var next nextShards
	if err := s.unseal(shardsToken, in.NextToken, &next); err != nil {
		return streams.Query{}, streams.Invalid("NextToken is invalid.")
	}
	if since(now, next.Made) > streams.NextTokenAge {
		return streams.Query{}, &streams.Error{Code: "ExpiredNextTokenException", Message: "NextToken has expired: it is valid for 300 seconds."}
	}
	next.Query.Limit = limit
	return next.Query, nil
}
