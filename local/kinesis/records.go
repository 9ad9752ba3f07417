package kinesis

import (
	"errors"
	"time"

	"github.com/pinflow/pinflow/local/kinesis/journal"
	"github.com/pinflow/pinflow/local/kinesis/streams"
)

const encryption = "NONE"

type putEntry struct {
	Data            *[]byte
	PartitionKey    string
	ExplicitHashKey string
}

func (e putEntry) put() (streams.Put, error) {
	if e.Data == nil {
		return streams.Put{}, streams.Unfit("1 validation error detected: Value null at 'data' failed to satisfy constraint: Member must not be null")
	}
	return streams.Put{PartitionKey: e.PartitionKey, ExplicitHashKey: e.ExplicitHashKey, Size: len(*e.Data)}, nil
}

// payload returns what the journal keeps of a record.
func (e putEntry) payload(p streams.Placement) []byte {
	return record{
		stream: p.Stream.ID, shard: p.Shard.Number, position: p.Record.Position, arrival: p.Record.Arrival, key: e.PartitionKey, data: *e.Data,
	}.encode()
}

type putRecord struct {
	target
	dry
	putEntry
	SequenceNumberForOrdering string
}

type putRecordAnswer struct {
	ShardID        string `json:"ShardId"`
	SequenceNumber string
	EncryptionType string
}

func (s *Server) putRecord(in putRecord) (any, error) {
	put, err := in.put()
	if err != nil {
		return nil, err
	}
	var placement streams.Placement
	err = s.broker.put(func(a *streams.Account, now time.Time) ([]streams.Placement, [][]byte, error) {
		name, err := a.Name(in.StreamName, in.StreamARN)
		if err != nil {
			return nil, nil, err
		}
		if err := in.check(); err != nil {
			return nil, nil, err
		}
		if placement, err = a.PutRecord(now, name, put, in.SequenceNumberForOrdering); err != nil {
			return nil, nil, err
		}
		return []streams.Placement{placement}, [][]byte{in.payload(placement)}, nil
	})
	if err != nil {
		return nil, err
	}
	return putRecordAnswer{placement.Shard.ID(), placement.SequenceNumber(), encryption}, nil
}

type putRecords struct {
	target
	dry
	Records []putEntry
}

type putResult struct {
	ShardID        string `json:"ShardId,omitempty"`
	SequenceNumber string `json:",omitempty"`
	ErrorCode      string `json:",omitempty"`
	ErrorMessage   string `json:",omitempty"`
}

type putRecordsAnswer struct {
	EncryptionType    string
	FailedRecordCount int
	Records           []putResult
}

func (s *Server) putRecords(in putRecords) (any, error) {
	puts := make([]streams.Put, len(in.Records))
	for i, entry := range in.Records {
		var err error
		if puts[i], err = entry.put(); err != nil {
			return nil, err
		}
	}
	var placements []streams.Placement
	var failures []error
	err := s.broker.put(func(a *streams.Account, now time.Time) ([]streams.Placement, [][]byte, error) {
		name, err := a.Name(in.StreamName, in.StreamARN)
		if err != nil {
			return nil, nil, err
		}
		if err := in.check(); err != nil {
			return nil, nil, err
		}
		if placements, failures, err = a.PutRecords(now, name, puts); err != nil {
			return nil, nil, err
		}
		payloads := make([][]byte, len(placements))
		for i, placement := range placements {
			if placement.Shard != nil {
				payloads[i] = in.Records[i].payload(placement)
			}
		}
		return placements, payloads, nil
	})
	if err != nil {
		return nil, err
	}
	return results(placements, failures), nil
}

func results(placements []streams.Placement, failures []error) putRecordsAnswer {
	out := putRecordsAnswer{EncryptionType: encryption, Records: make([]putResult, len(placements))}
	for i, placement := range placements {
		var failure *streams.Error
		if errors.As(failures[i], &failure) {
			out.FailedRecordCount++
			out.Records[i] = putResult{ErrorCode: failure.Code, ErrorMessage: failure.Message}
			continue
		}
		out.Records[i] = putResult{ShardID: placement.Shard.ID(), SequenceNumber: placement.SequenceNumber()}
	}
	return out
}

type getShardIterator struct {
	target
	dry
	ShardID                string `json:"ShardId"`
	ShardIteratorType      string
	StartingSequenceNumber string
	Timestamp              *epoch
}

type getShardIteratorAnswer struct{ ShardIterator string }

const iteratorToken = "iterator"

func (s *Server) getShardIterator(in getShardIterator) (any, error) {
	var it streams.Iterator
	err := s.broker.look(func(a *streams.Account, now time.Time) error {
		name, err := a.Name(in.StreamName, in.StreamARN)
		if err != nil {
			return err
		}
		if err := in.check(); err != nil {
			return err
		}
		it, err = a.GetShardIterator(now, name, streams.Start{
			ShardID: in.ShardID, Type: in.ShardIteratorType, SequenceNumber: in.StartingSequenceNumber, Timestamp: in.Timestamp.milliseconds(),
		})
		return err
	})
	return getShardIteratorAnswer{s.seal(iteratorToken, it)}, err
}

type getRecords struct {
	dry
	ShardIterator string
	StreamARN     string
	Limit         *int
}

type gotRecord struct {
	SequenceNumber              string
	ApproximateArrivalTimestamp epoch
	Data                        []byte
	PartitionKey                string
	EncryptionType              string
}

type getRecordsAnswer struct {
	Records            []gotRecord
	NextShardIterator  *string // null at the end of a closed shard
	MillisBehindLatest int64
	ChildShards        []childShard `json:",omitempty"`
}

func (s *Server) getRecords(in getRecords) (any, error) {
	var it streams.Iterator
	if err := s.unseal(iteratorToken, in.ShardIterator, &it); err != nil {
		return nil, streams.Invalid("Invalid ShardIterator.")
	}
	var page streams.Page
	out := getRecordsAnswer{}
	err := s.broker.look(func(a *streams.Account, now time.Time) error {
		if in.StreamARN != "" {
			if _, err := a.Name(it.Name, in.StreamARN); err != nil {
				return err
			}
		}
		err := in.check()
		if err == nil {
			page, err = a.GetRecords(now, it, or(in.Limit, streams.MaxGetRecords), recordHeader)
		}
		out.ChildShards = children(page.Children)
		return err
	})
	if err != nil {
		return nil, err
	}
	if page.Next != nil {
		next := s.seal(iteratorToken, *page.Next)
		out.NextShardIterator = &next
	}
	out.MillisBehindLatest = page.MillisBehind
	out.Records, err = s.fetch(page)
	return out, err
}

func children(list []*streams.Shard) []childShard {
	var children []childShard
	for _, child := range list {
		parent, adjacent := parents(child)
		own := childShard{ShardID: child.ID(), ParentShards: []string{parent}, HashKeyRange: hashKeyRange{child.From.String(), child.To.String()}}
		if adjacent != "" {
			own.ParentShards = append(own.ParentShards, adjacent)
		}
		children = append(children, own)
	}
	return children
}

// fetch reads the data of records from disk.
func (s *Server) fetch(page streams.Page) ([]gotRecord, error) {
	places := make([]journal.Place, len(page.Records))
	for i, r := range page.Records {
		places[i] = journal.Place(r.Place)
	}
	payloads, err := s.broker.journal.Read(places)
	if err != nil {
		return nil, err
	}
	got := make([]gotRecord, len(payloads))
	for i, payload := range payloads {
		r, err := decode(payload)
		if err != nil {
			return nil, err
		}
		got[i] = gotRecord{
			SequenceNumber: page.Shard.SequenceNumber(page.Records[i]), ApproximateArrivalTimestamp: epochOf(r.arrival),
			Data: r.data, PartitionKey: r.key, EncryptionType: encryption,
		}
	}
	return got, nil
}
