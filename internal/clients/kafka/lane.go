package kafka

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/pinflow/pinflow/internal/pause"
)

type laneID struct {
	topic     string
	partition int
}

// entry is a message that is being delivered. done is called once, after ack has been set, and nil
// from then on.
type entry struct {
	ctx     context.Context
	message *Message
	ack     *Ack
	done    func()
}

func (e *entry) acknowledge(offset int64) {
	e.ack.Offset = offset
	e.end()
}

func (e *entry) fail(err error) {
	e.ack.Err = err
	e.end()
}

func (e *entry) end() {
	done := e.done
	e.done = nil
	done()
}

// lane is the queue of one partition. It has a goroutine only while it is not empty.
type lane struct {
	producer *Producer
	id       laneID

	mu      sync.Mutex
	queue   []*entry
	sending bool

	// identity is used by send alone.
	identity identity
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

// deliver sends a batch until a broker acknowledges it, rejects it for a reason that does not pass,
// or all its callers have given up. Brokers that may have appended the batch get the same bytes again
// under the same numbers, so that they append it once. Without a producer id they would append it
// again: then it is not sent again.
func (l *lane) deliver(batch []*entry) {
	r := &delivery{entries: batch}
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		if !l.prepare(r) {
			return
		}
		base, err := l.produce(r)
		switch {
		case err == nil:
			r.acknowledge(base)
			l.identity.advance(len(r.entries))
			return
		case forgotten(err) && !r.uncertain:
			l.identity = identity{}
		case r.uncertain && (!l.identity.named || forgotten(err) || !passes(err)):
			l.giveUp(r, err)
			return
		case invalidates(err) && len(r.entries) > 1: // one record can be the reason, of one of several callers
			half := len(r.entries) / 2
			l.deliver(r.entries[:half])
			l.deliver(r.entries[half:])
			return
		case !passes(err):
			r.fail(err)
			return
		}
		r.reason = err
		if staleLayout(err) {
			l.producer.reset()
		}
		wait(context.Background(), pause)
	}
}

// prepare drops the entries whose callers have given up, and encodes the batch unless a broker may
// have it. It reports whether there is something to send.
func (l *lane) prepare(r *delivery) bool {
	for {
		r.dropEnded()
		if r.waiting == 0 {
			if r.uncertain {
				l.identity = identity{}
			}
			return false
		}
		if r.uncertain {
			return true
		}
		if l.identity.known() {
			r.text = encodeBatch(l.identity, time.Now(), r.entries)
			return true
		}
		if l.identity, r.reason = l.producer.newIdentity(); r.reason != nil {
			wait(context.Background(), firstRetry)
		}
	}
}

// giveUp tells the callers that the outcome is unknown. The numbers of the batch are taken or not, so
// that the next one needs others.
func (l *lane) giveUp(r *delivery, reason error) {
	r.fail(fmt.Errorf("%w; last error: %w", ErrUnknownOutcome, reason))
	if l.identity.named {
		l.identity = identity{}
	}
}

// produce makes one request and returns the offset of the batch's first record.
func (l *lane) produce(r *delivery) (int64, error) {
	// The batch has several callers, and the outcome of an interrupted request is unknown: so not
	// their contexts.
	ctx, cancel := context.WithTimeout(context.Background(), l.producer.config.RequestTimeout)
	defer cancel()
	began, sent := time.Now(), &once{reader: bytes.NewReader(r.text)}
	answer, err := l.producer.client.RawProduce(ctx, &kafkago.RawProduceRequest{
		Topic:        l.id.topic,
		Partition:    l.id.partition,
		RequiredAcks: kafkago.RequireAll,
		RawRecords:   protocol.RawRecordSet{Reader: sent},
	})
	switch {
	case err != nil:
		r.uncertain = sent.stop() || r.uncertain
	case answer.Error != nil:
		err = answer.Error
		r.uncertain = r.uncertain || mayHaveAppended(err)
	}
	if observe := l.producer.config.OnBatch; observe != nil {
		observe(Batch{Topic: l.id.topic, Partition: l.id.partition, Records: len(r.entries), Bytes: len(r.text), Took: time.Since(began), Err: err})
	}
	if err != nil {
		return 0, fmt.Errorf("produce to %s[%d]: %w", l.id.topic, l.id.partition, err)
	}
	return answer.BaseOffset, nil
}

// wait sleeps. Its callers check ctx themselves.
func wait(ctx context.Context, d time.Duration) { _ = pause.For(ctx, d) }
