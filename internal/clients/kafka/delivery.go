package kafka

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
)

// delivery is a batch on its way.
type delivery struct {
	entries []*entry
	// waiting is how many of the entries have no outcome.
	waiting int
	// text is the encoded batch. It is kept while uncertain.
	text []byte
	// uncertain reports whether a broker may have appended the batch.
	uncertain bool
	// reason is the last error.
	reason error
}

// dropEnded fails the entries whose callers have given up. While a broker may have the batch, it keeps
// them in it, without an outcome that could change.
func (d *delivery) dropEnded() {
	left := make([]*entry, 0, len(d.entries))
	for _, e := range d.entries {
		if ended := context.Cause(e.ctx); ended != nil && e.done != nil {
			switch {
			case d.uncertain:
				e.fail(fmt.Errorf("%w; last error: %w", ErrUnknownOutcome, d.reason))
			case d.reason == nil:
				e.fail(fmt.Errorf("not sent to Kafka in time: %w", ended))
			default:
				e.fail(fmt.Errorf("not taken by Kafka in time; last error: %w", d.reason))
			}
		}
		if e.done != nil {
			left = append(left, e)
		}
	}
	d.waiting = len(left)
	if !d.uncertain {
		d.entries = left
	}
}

// acknowledge gives the entries that wait their offsets.
func (d *delivery) acknowledge(base int64) {
	for i, e := range d.entries {
		if e.done != nil {
			e.acknowledge(base + int64(i))
		}
	}
}

// fail gives the entries that wait an error.
func (d *delivery) fail(err error) {
	for _, e := range d.entries {
		if e.done != nil {
			e.fail(err)
		}
	}
}

// once hands the bytes of a batch to kafka-go when it writes the request, unless the request has been
// given up before.
type once struct {
	reader io.Reader
	state  atomic.Int32
}

const (
	idle int32 = iota
	begun
	stopped
)

// Read reads from the batch.
func (o *once) Read(into []byte) (int, error) {
	if !o.state.CompareAndSwap(idle, begun) && o.state.Load() == stopped {
		return 0, context.Canceled
	}
	return o.reader.Read(into)
}

// stop reports whether the request was begun to be written, and prevents it otherwise.
func (o *once) stop() bool { return !o.state.CompareAndSwap(idle, stopped) }
