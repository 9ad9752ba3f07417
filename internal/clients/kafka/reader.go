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
	// fetchWait is how long the broker waits for records before it answers a fetch.
	fetchWait = 500 * time.Millisecond
	// chunk is the size of the buffers that records share.
	chunk = 256 << 10
)

// Reader reads committed records of topics by offsets, without a consumer group. It does not filter
// the records of aborted transactions, because kafka-go cannot: it is not for topics with
// transactional producers.
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
	count, ok := known.partitions[topic]
	if !ok {
		return 0, fmt.Errorf("%w: %s: %w", ErrUnknownTopic, topic, kafkago.UnknownTopicOrPartition)
	}
	return count, nil
}

// Fetch returns records of a partition from an offset on, in order, and the offset of the next
// fetch. Compaction and transactions leave gaps between offsets. If there are no records, next is
// the offset itself, or the end of the gap that it is in. The records share memory: keeping one
// keeps its neighbours.
func (r *Reader) Fetch(ctx context.Context, topic string, partition int, offset int64, maxBytes int) (records []kafkago.Message, next int64, err error) {
	place := place{topic: topic, partition: partition}
	decoded, err := r.fetch(ctx, place, offset, maxBytes, fetchWait)
	if err == nil && decoded.inGap() {
		decoded.next, err = r.gapEnd(ctx, place, decoded.base, offset)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("fetch %s/%d from offset %d: %w", topic, partition, offset, err)
	}
	return decoded.records, decoded.next, nil
}

// place is a partition of a topic.
type place struct {
	topic     string
	partition int
}

// fetch makes one request, for which the broker waits that long if it has no records.
func (r *Reader) fetch(ctx context.Context, from place, offset int64, maxBytes int, maxWait time.Duration) (decoder, error) {
	answer, err := r.client.Fetch(ctx, &kafkago.FetchRequest{
		Topic: from.topic, Partition: from.partition, Offset: offset, MinBytes: 1, MaxBytes: int64(maxBytes), MaxWait: maxWait,
		IsolationLevel: kafkago.ReadCommitted,
	})
	if err == nil {
		err = answer.Error
	}
	if err != nil {
		r.refresh(err)
		return decoder{}, err
	}
	decoded := decoder{from: offset, next: offset, base: none}
	err = decoded.stream(answer.Records)
	return decoded, err
}

// refresh drops the metadata if the error can come from outdated metadata.
func (r *Reader) refresh(err error) {
	if staleLayout(err) {
		r.transport.CloseIdleConnections()
	}
}

// decoder copies the records of a response out of kafka-go's pages and determines the next offset.
type decoder struct {
	from    int64 // earlier records are in the response only because they share its batch
	next    int64
	base    int64 // the first offset of the first batch, or none
	records []kafkago.Message
	spare   []byte
}

// inGap reports whether the response has a batch, but neither a record nor another batch after the
// offset: compaction has removed the records at the end of the batch, and kafka-go does not return
// where the batch ended. The same request would return the same batch for ever.
func (d *decoder) inGap() bool { return d.base != none && d.next == d.from }

func (d *decoder) stream(answer protocol.RecordReader) error {
	stream, ok := answer.(*protocol.RecordStream)
	if !ok {
		return d.batch(answer, false) // a response without batches
	}
	for _, batch := range stream.Records {
		base, control := header(batch)
		if d.base == none {
			d.base = base
		}
		d.next = max(d.next, base) // nothing is left between two batches
		if err := d.batch(batch, control); err != nil {
			return err
		}
	}
	if len(stream.Records) > 0 && d.base == none && d.next == d.from {
		d.next++ // the old format does not tell where the batch begins, either
	}
	return nil
}

// header returns the first offset of a batch, and whether it is a control batch. The old format of
// messages, which Kafka 4 no longer has, has no batches: each message is one.
func header(batch protocol.RecordReader) (base int64, control bool) {
	switch b := batch.(type) {
	case *protocol.RecordBatch:
		return b.BaseOffset, false
	case *protocol.ControlBatch:
		return b.BaseOffset, true
	}
	return none, false
}

// batch reads the records of one batch. Those of a control batch mark the ends of transactions and
// only occupy offsets.
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

// release returns the pages of the record to kafka-go's pool.
func release(record *protocol.Record) {
	if record.Key != nil {
		_ = record.Key.Close()
	}
	if record.Value != nil {
		_ = record.Value.Close()
	}
}
