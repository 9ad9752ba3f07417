package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/internal/pause"
)

type laneID struct {
	topic     string
	partition int
}

// entry is a message that is being delivered. done is called once, after ack has been set.
type entry struct {
	ctx     context.Context
	message *Message
	ack     *Ack
	done    func()
}

func (e *entry) acknowledge(offset int64) {
	e.ack.Offset = offset
	e.done()
}

func (e *entry) fail(err error) {
	e.ack.Err = err
	e.done()
}

// lane is the queue of one partition. It has a goroutine only while it is not empty.
type lane struct {
	producer *Producer
	id       laneID

	mu      sync.Mutex
	queue   []*entry
	sending bool
}

// add appends entries to the queue.
func (l *lane) add(entries []*entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, entries...)
	if !l.sending {
		l.sending = true
		go l.send()
	}
}

func (l *lane) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// send delivers batches until the queue is empty.
func (l *lane) send() {
	for batch := l.next(); batch != nil; batch = l.next() {
		l.deliver(batch)
	}
}

// next removes the entries that fit into one request from the head of the queue.
func (l *lane) next() []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	bytes, n := batchOverhead, 0
	for n < len(l.queue) && n < maxBatchRecords {
		bytes += size(l.queue[n].message) + recordOverhead
		if bytes > maxBatchBytes && n > 0 {
			break
		}
		n++
	}
	if n == 0 {
		l.queue, l.sending = nil, false
		return nil
	}
	batch := l.queue[:n:n]
	l.queue = l.queue[n:]
	return batch
}

// deliver retries a batch until a broker acknowledges it, rejects it for a reason that does not
// pass, or all its callers have given up. If a single record can be the reason, deliver splits the
// batch, because it has records of different callers.
func (l *lane) deliver(batch []*entry) {
	pause, reason := firstRetry, error(nil)
	for {
		batch = giveUpEnded(batch, reason)
		if len(batch) == 0 {
			return
		}
		base, err := l.produce(batch)
		switch {
		case err == nil:
			for i, e := range batch {
				e.acknowledge(base + int64(i))
			}
			return
		case passes(err):
			reason = err
			if staleLayout(err) {
				l.producer.reset()
			}
			wait(batch[0].ctx, pause)
			pause = min(2*pause, lastRetry)
		case invalidates(err):
			if len(batch) > 1 {
				half := len(batch) / 2
				l.deliver(batch[:half])
				l.deliver(batch[half:])
				return
			}
			batch[0].fail(err)
			return
		default:
			for _, e := range batch {
				e.fail(err)
			}
			return
		}
	}
}

// produce makes one request and returns the offset of the batch's first record.
func (l *lane) produce(batch []*entry) (int64, error) {
	// The batch has several callers, and the outcome of an interrupted request is unknown: so not
	// their contexts.
	ctx, cancel := context.WithTimeout(context.Background(), l.producer.config.RequestTimeout)
	defer cancel()
	now, bytes := time.Now(), 0
	records := make([]kafkago.Record, len(batch))
	for i, e := range batch {
		bytes += size(e.message)
		records[i] = kafkago.Record{Time: now, Key: kafkago.NewBytes(e.message.Key), Value: kafkago.NewBytes(e.message.Value)}
	}
	answer, err := l.producer.client.Produce(ctx, &kafkago.ProduceRequest{
		Topic:        l.id.topic,
		Partition:    l.id.partition,
		RequiredAcks: kafkago.RequireAll,
		Records:      kafkago.NewRecordReader(records...),
	})
	if err == nil && answer.Error != nil {
		err = answer.Error
	}
	if observe := l.producer.config.OnBatch; observe != nil {
		observe(Batch{Topic: l.id.topic, Partition: l.id.partition, Records: len(batch), Bytes: bytes, Took: time.Since(now), Err: err})
	}
	if err != nil {
		return 0, fmt.Errorf("produce to %s[%d]: %w", l.id.topic, l.id.partition, err)
	}
	return answer.BaseOffset, nil
}

// giveUpEnded fails the entries whose callers have given up, and returns the others.
func giveUpEnded(batch []*entry, reason error) []*entry {
	left := batch[:0:0]
	for _, e := range batch {
		ended := context.Cause(e.ctx)
		switch {
		case ended == nil:
			left = append(left, e)
		case reason == nil:
			e.fail(fmt.Errorf("not sent to Kafka in time: %w", ended))
		default:
			e.fail(fmt.Errorf("not acknowledged by Kafka in time; last error: %w", reason))
		}
	}
	return left
}

// wait sleeps. Its callers check ctx themselves.
func wait(ctx context.Context, d time.Duration) { _ = pause.For(ctx, d) }
