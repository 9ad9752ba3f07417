package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

const (
	// readTimeout limits one request of a Reader.
	readTimeout = 10 * time.Second
	// fetchWait is how long the broker may hold a fetch for which it has nothing.
	fetchWait = 500 * time.Millisecond
	// chunk is the size of the buffers that the records of a fetch share.
	chunk = 256 << 10
)

// Reader reads topics by offsets, without a consumer group's say. It reads what is committed and stable. Records of aborted
// transactions are not told from others: no way of kafka-go does that, so topics with transactional producers need another reader.
type Reader struct {
	cluster   *cluster
	client    *kafkago.Client
	transport *kafkago.Transport
}

// NewReader makes a Reader. It connects with the first request.
func NewReader(connection Connection) *Reader {
	transport := connection.transport()
	return &Reader{cluster: newCluster(connection), client: connection.client(transport, readTimeout), transport: transport}
}

// Close closes the connections.
func (r *Reader) Close() {
	r.cluster.close()
	r.transport.CloseIdleConnections()
}

// Partitions asks the cluster how many partitions a topic has. The error for a topic that is missing is ErrUnknownTopic and
// kafka-go's UnknownTopicOrPartition.
func (r *Reader) Partitions(ctx context.Context, topic string) (int, error) {
	known, err := r.cluster.layoutSince(ctx, time.Now())
	if err != nil {
		return 0, err
	}
	count, ok := known.partitions[topic]
	if !ok {
		return 0, fmt.Errorf("%w: %s: %w", ErrUnknownTopic, topic, kafkago.UnknownTopicOrPartition)
	}
	return count, nil
}

// Fetch returns records of a partition from an offset on, in order, and the offset at which to go on. Offsets can be missing
// between the records, where compaction or transactions have left gaps. If the broker has nothing, next is the offset itself.
// The records share memory: who keeps one keeps its neighbours.
func (r *Reader) Fetch(ctx context.Context, topic string, partition int, offset int64, maxBytes int) (records []kafkago.Message, next int64, err error) {
	answer, err := r.client.Fetch(ctx, &kafkago.FetchRequest{
		Topic: topic, Partition: partition, Offset: offset, MinBytes: 1, MaxBytes: int64(maxBytes), MaxWait: fetchWait,
		IsolationLevel: kafkago.ReadCommitted,
	})
	if err == nil {
		err = answer.Error
	}
	if err != nil {
		r.refresh(err)
		return nil, 0, fmt.Errorf("fetch %s/%d from offset %d: %w", topic, partition, offset, err)
	}
	decoded := decoder{from: offset, next: offset}
	if err := decoded.stream(answer.Records); err != nil {
		return nil, 0, fmt.Errorf("fetch %s/%d from offset %d: %w", topic, partition, offset, err)
	}
	return decoded.records, decoded.next, nil
}

// refresh forgets what is known of the cluster if the error may come from an old picture of it.
func (r *Reader) refresh(err error) {
	if staleLayout(err) {
		r.transport.CloseIdleConnections()
	}
}

// decoder copies the records of an answer out of kafka-go's pages and finds where to go on.
type decoder struct {
	from    int64 // records before it came only because their batch holds it
	next    int64
	records []kafkago.Message
	spare   []byte
}

func (d *decoder) stream(answer protocol.RecordReader) error {
	stream, ok := answer.(*protocol.RecordStream)
	if !ok {
		return d.batch(answer, false) // an answer without batches
	}
	for _, batch := range stream.Records {
		_, control := batch.(*protocol.ControlBatch)
		if err := d.batch(batch, control); err != nil {
			return err
		}
	}
	// Compaction can take the records at the end of a batch, and kafka-go does not tell how far the batch reached. What was asked
	// for is then not there, and the offset after it may be: else the same batch would come again for ever.
	if len(stream.Records) > 0 && d.next == d.from {
		d.next++
	}
	return nil
}

// batch takes the records of one batch. Those of a control batch mark the ends of transactions: they only take up offsets.
func (d *decoder) batch(batch protocol.RecordReader, control bool) error {
	for {
		record, err := batch.ReadRecord()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if record.Offset < d.from || control {
			release(record)
		} else if err := d.take(record); err != nil {
			return err
		}
		d.next = max(d.next, record.Offset+1)
	}
}

func (d *decoder) take(record *protocol.Record) error {
	defer release(record)
	key, err := d.copy(record.Key)
	if err != nil {
		return err
	}
	value, err := d.copy(record.Value)
	if err != nil {
		return err
	}
	d.records = append(d.records, kafkago.Message{Offset: record.Offset, Time: record.Time, Key: key, Value: value})
	return nil
}

// copy copies bytes into the shared buffers; nil stays nil.
func (d *decoder) copy(from protocol.Bytes) ([]byte, error) {
	if from == nil {
		return nil, nil
	}
	size := from.Len()
	if size > len(d.spare) {
		d.spare = make([]byte, max(size, chunk))
	}
	to := d.spare[:size:size]
	d.spare = d.spare[size:]
	_, err := io.ReadFull(from, to)
	return to, err
}

// release gives the record's pages back to kafka-go's pool.
func release(record *protocol.Record) {
	if record.Key != nil {
		_ = record.Key.Close()
	}
	if record.Value != nil {
		_ = record.Value.Close()
	}
}
