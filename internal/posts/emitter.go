package posts

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/pause"
)

const (
	// batchBytes limits a request to less than the gateway's limit of 10 MB.
	batchBytes = 4 << 20
	// tick is the resolution of the rate: posts of one tick share a request.
	tick = 50 * time.Millisecond
	// apart is the pause before and after a record that is sent alone. Cleaning orders records of
	// different partitions by the broker's clock, in milliseconds.
	apart = 3 * time.Millisecond
)

// emitter is a running emulation.
type emitter struct {
	in         EmitInput
	poster     poster
	began      time.Time
	checkpoint *checkpoint

	mu     sync.Mutex
	result EmitResult
	reach  map[string]int // posts done, by kind
}

func newEmitter(in EmitInput) (*emitter, error) {
	if ends := in.Source.Posts(); in.Posts == 0 || ends > 0 && ends < in.Posts {
		in.Posts = ends
	}
	if in.Posts == 0 {
		return nil, fmt.Errorf("%s has no end: set the number of posts", in.Source.Name())
	}
	if in.Batch == 0 {
		in.Batch = DefaultBatch
	}
	if in.Patience == 0 {
		in.Patience = DefaultPatience
	}
	if in.Client == nil {
		in.Client = newClient()
	}
	e := &emitter{in: in, began: time.Now(), reach: map[string]int{},
		poster: poster{client: in.Client, url: in.URL, key: in.APIKey}, result: EmitResult{Records: map[string]int{}}}
	var err error
	e.checkpoint, err = openCheckpoint(in)
	return e, err
}

// emit sends the lines of one kind.
func (e *emitter) emit(ctx context.Context, kind string) error {
	skip := e.checkpoint.acked(kind)
	e.resumed(skip)
	batch, bytes := []Line(nil), 0
	flush := func() error {
		err := e.deliver(ctx, kind, batch)
		batch, bytes = nil, 0
		return err
	}
	first, number := -1, 0
	for line, err := range e.in.Source.Lines(ctx, kind) {
		if err != nil {
			return err
		}
		if line.Post >= e.in.Posts {
			break
		}
		if number++; number <= skip {
			continue
		}
		if size := len(line.Key) + len(line.Value); size > kafka.MaxMessageBytes {
			return fmt.Errorf("%s has %d bytes: Kafka accepts records of at most %d bytes", line.Origin, size, kafka.MaxMessageBytes)
		}
		if first < 0 {
			first = line.Post
		}
		if due := e.due(line.Post - first); time.Now().Before(due) {
			if err := flush(); err != nil {
				return err
			}
			if err := pause.For(ctx, time.Until(due)); err != nil {
				return err
			}
		}
		if line.Alone {
			if err := flush(); err != nil {
				return err
			}
			if err := e.apart(ctx, kind, line); err != nil {
				return err
			}
			continue
		}
		batch, bytes = append(batch, line), bytes+len(line.Value)
		if len(batch) >= e.in.Batch || bytes >= batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	e.done(kind, e.in.Posts)
	return ctx.Err()
}

// due returns when a post is due, counted from the first one: at the tick that its rate gives.
func (e *emitter) due(post int) time.Time {
	if e.in.Rate <= 0 {
		return e.began
	}
	return e.began.Add(time.Duration(float64(post) / e.in.Rate * float64(time.Second)).Truncate(tick))
}

// apart sends a line between two pauses, so that its time differs from those before and after it.
func (e *emitter) apart(ctx context.Context, kind string, line Line) error {
	if err := pause.For(ctx, apart); err != nil {
		return err
	}
	if err := e.deliver(ctx, kind, []Line{line}); err != nil {
		return err
	}
	return pause.For(ctx, apart)
}

// deliver retries lines until the gateway has acknowledged all of them.
func (e *emitter) deliver(ctx context.Context, kind string, lines []Line) error {
	failing, delay := time.Time{}, firstPause
	for len(lines) > 0 {
		acked, err := e.poster.post(ctx, e.in.Topic(kind), lines)
		if acked > 0 {
			failing, delay = time.Time{}, firstPause
			if err := e.acknowledged(kind, lines[:acked]); err != nil {
				return err
			}
			lines = lines[acked:]
		}
		var later *tryLater
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.As(err, &later):
			return err
		default:
			if failing.IsZero() {
				failing = time.Now()
			}
			if time.Since(failing) > e.in.Patience {
				return fmt.Errorf("the gateway at %s was %w for %s; last error: %w", e.in.URL, ErrUnreachable, e.in.Patience, err)
			}
			e.retried(err)
			if err := pause.For(ctx, max(later.after, jitter(delay))); err != nil {
				return err
			}
			delay = min(2*delay, lastPause)
		}
	}
	return nil
}

// acknowledged counts lines and writes the checkpoint.
func (e *emitter) acknowledged(kind string, lines []Line) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.result.Records[kind] += len(lines)
	for _, line := range lines {
		e.result.Bytes += int64(len(line.Value))
	}
	e.reach[kind] = lines[len(lines)-1].Post + 1
	e.report(nil)
	return e.checkpoint.add(kind, len(lines))
}

func (e *emitter) done(kind string, posts int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reach[kind] = posts
	e.report(nil)
}

// report reports the progress. The caller holds the lock.
func (e *emitter) report(retrying error) {
	if e.in.Progress == nil {
		return
	}
	progress := EmitProgress{Total: e.in.Posts * len(Kinds), Retrying: retrying}
	for _, kind := range Kinds {
		progress.Done += e.reach[kind]
	}
	e.in.Progress(progress)
}

func (e *emitter) resumed(records int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.result.Resumed += records
}

func (e *emitter) retried(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.result.Retries++
	e.report(err)
}

// allDone returns the number of posts whose records have all been sent.
func (e *emitter) allDone() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	least := e.in.Posts
	for _, kind := range Kinds {
		least = min(least, e.reach[kind])
	}
	return least
}
