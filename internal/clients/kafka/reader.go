package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

const (
	// readTimeout limits one request of a Reader.
	readTimeout = 10 * time.Second
	// fetchWait is how long the broker waits for records before it answers a fetch.
	fetchWait = 500 * time.Millisecond
)

// Reader reads committed records of topics by offsets, without a consumer group.
type Reader struct {
	cluster   *cluster
	client    *kafkago.Client
	transport *kafkago.Transport
}

// NewReader returns a Reader. It connects with the first request.
func NewReader(connection Connection) *Reader {
	transport := connection.transport()
	return &Reader{cluster: newCluster(connection), client: connection.client(transport, readTimeout), transport: transport}
}

// Close closes the connections.
func (r *Reader) Close() {
	r.cluster.close()
	r.transport.CloseIdleConnections()
}

// Partitions returns the number of partitions of a topic. The error for a topic that does not exist
// is ErrUnknownTopic and kafka-go's UnknownTopicOrPartition.
func (r *Reader) Partitions(ctx context.Context, topic string) (int, error) {
	known, err := r.cluster.layoutSince(ctx, time.Now())
	if err != nil {
		return 0, err
	}
	count := len(known.topics[topic])
	if count == 0 {
		return 0, fmt.Errorf("%w: %s: %w", ErrUnknownTopic, topic, kafkago.UnknownTopicOrPartition)
	}
	return count, nil
}

// Fetch returns committed records of a partition from an offset on, in order, and the offset of the
// next fetch. Compaction, transactions and aborted records leave gaps between offsets. If the topic
// has no further records, next is the offset itself. The time of a record is the broker's if the
// topic has LogAppendTime, and the producer's otherwise. The records share memory: keeping one keeps
// its neighbors.
func (r *Reader) Fetch(ctx context.Context, topic string, partition int, offset int64, maxBytes int) (records []kafkago.Message, next int64, err error) {
	answer, err := r.ask(ctx, topic, partition, offset, maxBytes, fetchWait)
	if err == nil {
		records, next, err = committedRecords(answer, offset)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("fetch %s/%d from offset %d: %w", topic, partition, offset, err)
	}
	return records, next, nil
}

// RecordAt returns what a partition has at an offset: also a marker that ends a transaction, and a
// record of an aborted one. found is false if there is nothing: retention or compaction has removed
// it, or the topic ends before it.
func (r *Reader) RecordAt(ctx context.Context, topic string, partition int, offset int64) (at kafkago.Message, found bool, err error) {
	const oneBatch = 1 // a broker returns the first batch as a whole
	for attempt := 1; ; attempt++ {
		answer, err := r.ask(ctx, topic, partition, offset, oneBatch, 0)
		switch {
		case err == nil:
			at, found, err = recordAt(answer.Batches, offset)
		case errors.Is(err, kafkago.OffsetOutOfRange):
			return at, false, nil
		}
		if err == nil {
			return at, found, nil
		}
		if !passes(err) || attempt == offsetAttempts || ctx.Err() != nil {
			return at, false, fmt.Errorf("fetch %s/%d at offset %d: %w", topic, partition, offset, err)
		}
		wait(ctx, time.Duration(attempt)*offsetPause)
	}
}

// recordAt returns the record of the batches that has the offset.
func recordAt(batches []byte, offset int64) (at kafkago.Message, found bool, err error) {
	for rest := batches; len(rest) > 0 && !found; {
		var b batch
		if b, rest, err = cutBatch(rest); errors.Is(err, errCut) || err == nil && b.base() > offset {
			break
		} else if err != nil {
			return at, false, err
		}
		if b.end() <= offset {
			continue
		}
		if err := b.each(func(one record) {
			if one.offset == offset {
				at, found = kafkago.Message{Offset: one.offset, Time: one.at, Key: one.key, Value: one.value}, true
			}
		}); err != nil {
			return at, false, err
		}
	}
	return at, found, nil // compaction has removed it, if it is not found
}

// ask makes one request. The broker waits that long for records before it answers that there are none.
func (r *Reader) ask(
	ctx context.Context, topic string, partition int, offset int64, maxBytes int, wait time.Duration,
) (*fetchResponsePartition, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	const none = -1 // no replica, no session, any epoch
	answer, err := r.transport.RoundTrip(ctx, r.client.Addr, &fetchRequest{client: r.transport.ClientID, Request: &fetch.Request{
		ReplicaID: none, MaxWaitTime: int32(wait.Milliseconds()), MinBytes: 1, MaxBytes: math.MaxInt32, // that of the partition holds
		IsolationLevel: int8(kafkago.ReadCommitted), SessionID: none, SessionEpoch: none,
		Topics: []fetch.RequestTopic{{Topic: topic, Partitions: []fetch.RequestPartition{{
			Partition: int32(partition), CurrentLeaderEpoch: none, FetchOffset: offset, LogStartOffset: none, PartitionMaxBytes: int32(maxBytes),
		}}}},
	}})
	if err != nil {
		r.refresh(err)
		return nil, err
	}
	response := answer.(*fetchResponse)
	if response.ErrorCode == 0 && (len(response.Topics) != 1 || len(response.Topics[0].Partitions) != 1) {
		return nil, errors.New("the broker answers for other partitions")
	}
	code := response.ErrorCode
	if code == 0 {
		code = response.Topics[0].Partitions[0].ErrorCode
	}
	if code != 0 {
		r.refresh(kafkago.Error(code))
		return nil, kafkago.Error(code)
	}
	return &response.Topics[0].Partitions[0], nil
}

// refresh drops the metadata if the error can come from outdated metadata.
func (r *Reader) refresh(err error) {
	if staleLayout(err) {
		r.transport.CloseIdleConnections()
	}
}

// committedRecords returns the records of an answer from an offset on that are not part of an
// aborted transaction, and the offset after the last batch.
func committedRecords(answer *fetchResponsePartition, from int64) (records []kafkago.Message, next int64, err error) {
	aborts := newAborts(answer.AbortedTransactions)
	next = from
	for rest := answer.Batches; len(rest) > 0; {
		var b batch
		if b, rest, err = cutBatch(rest); errors.Is(err, errCut) && next > from {
			break // the next fetch gets it as a whole
		} else if err != nil {
			return nil, 0, err
		}
		next = max(next, b.end())
		dropped, err := aborts.drop(b)
		if err != nil {
			return nil, 0, err
		}
		if dropped || b.is(control) {
			continue
		}
		records = slices.Grow(records, b.capacity())
		if err := b.each(func(one record) {
			if one.offset >= from {
				records = append(records, kafkago.Message{Offset: one.offset, Time: one.at, Key: one.key, Value: one.value, Headers: one.headers})
			}
		}); err != nil {
			return nil, 0, err
		}
	}
	return records, next, nil
}
