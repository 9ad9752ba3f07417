package kinesis

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/pinflow/pinflow/local/kinesis/streams"
)

// The wire: awsJson1.1, https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
const (
	contentType  = "application/x-amz-json-1.1"
	targetPrefix = "Kinesis_20131202."
)

// epoch is a time in seconds since 1970, with milliseconds as decimals.
type epoch float64

func epochOf(milliseconds int64) epoch { return epoch(float64(milliseconds) / 1000) }

// milliseconds returns the time in milliseconds since 1970, or nil for no time.
func (e *epoch) milliseconds() *int64 {
	if e == nil {
		return nil
	}
	ms := int64(math.Round(float64(*e) * 1000))
	return &ms
}

// target names a stream, as most requests do.
type target struct{ StreamName, StreamARN string }

// dry is a request that can be asked to do nothing.
type dry struct{ DryRun bool }

func (d dry) check() error {
	if d.DryRun {
		return &streams.Error{Code: "DryRunOperationException", Message: "The request was rejected because the DryRun parameter was specified."}
	}
	return nil
}

type (
	hashKeyRange        struct{ StartingHashKey, EndingHashKey string }
	sequenceNumberRange struct {
		StartingSequenceNumber string
		EndingSequenceNumber   string `json:",omitempty"`
	}
	shard struct {
		ShardID               string `json:"ShardId"`
		ParentShardID         string `json:"ParentShardId,omitempty"`
		AdjacentParentShardID string `json:"AdjacentParentShardId,omitempty"`
		HashKeyRange          hashKeyRange
		SequenceNumberRange   sequenceNumberRange
	}
	childShard struct {
		ShardID      string `json:"ShardId"`
		ParentShards []string
		HashKeyRange hashKeyRange
	}
	streamMode struct{ StreamMode string }
	none       struct{}
)

func shardsOf(list []*streams.Shard) []shard {
	shards := make([]shard, len(list))
	for i, s := range list {
		shards[i] = shard{
			ShardID: s.ID(), HashKeyRange: hashKeyRange{s.From.String(), s.To.String()},
			SequenceNumberRange: sequenceNumberRange{s.First(), s.Last()},
		}
		shards[i].ParentShardID, shards[i].AdjacentParentShardID = parents(s)
	}
	return shards
}

func parents(s *streams.Shard) (parent, adjacent string) {
	if s.Parent >= 0 {
		parent = streams.ShardID(s.Parent)
	}
	if s.Adjacent >= 0 {
		adjacent = streams.ShardID(s.Adjacent)
	}
	return parent, adjacent
}

// read decodes the body of a request.
func read(body []byte, request any) error {
	if err := json.Unmarshal(body, request); err != nil {
		return &streams.Error{Code: "SerializationException", Message: strings.TrimPrefix(err.Error(), "json: ")}
	}
	return nil
}

// wireError is the body of an error.
type wireError struct {
	Type    string `json:"__type"`
	Message string `json:"message"`
}

// fail writes an error in the way of the protocol.
func fail(w http.ResponseWriter, err error) {
	status, body := http.StatusBadRequest, wireError{}
	var documented *streams.Error
	if errors.As(err, &documented) {
		body = wireError{documented.Code, documented.Message}
	} else {
		status, body = http.StatusInternalServerError, wireError{"InternalFailure", err.Error()}
	}
	w.Header().Set("X-Amzn-ErrorType", body.Type)
	answer(w, status, body)
}

func answer(w http.ResponseWriter, status int, body any) {
	content, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if body == (none{}) {
		content = nil
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	w.WriteHeader(status)
	_, _ = w.Write(content) // the client has gone
}

// or returns the value, or the default if there is none.
func or(value *int, otherwise int) int {
	if value == nil {
		return otherwise
	}
	return *value
}

// since returns how old a time in milliseconds is.
func since(now time.Time, milliseconds int64) time.Duration {
	return now.Sub(time.UnixMilli(milliseconds))
}
