package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	sdklog "go.temporal.io/sdk/log"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/observe"
	"github.com/pinflow/pinflow/internal/tasklog"
	"github.com/pinflow/pinflow/workflows/steps"
)

const (
	// shipFirst is when the log of a running attempt is first written to the bucket: soon, for
	// those who follow the run. Most attempts have ended by then and cost one request.
	shipFirst = 3 * time.Second
	// shipEvery is how often it is written again, if it has new lines.
	shipEvery = 30 * time.Second
	// shipTimeout limits one write, with the wait for its turn.
	shipTimeout = 5 * time.Second
	// shipParallel is how many writes run at a time.
	shipParallel = 16
)

// shipping writes the logs of activities to the bucket, an object for each attempt. There they
// outlive the worker, its container and Temporal's retention. It neither fails nor delays an
// activity.
type shipping struct {
	objects  bucket.Objects
	log      *slog.Logger // for failed writes
	level    string
	turns    chan struct{}
	stopping chan struct{}
	attempts sync.WaitGroup
}

// newShipping returns shipping to the bucket of the settings.
func newShipping(ctx context.Context, settings config.Config, log *slog.Logger) (*shipping, error) {
	objects, err := s3.New(ctx, settings)
	if err != nil {
		return nil, &settingsError{err}
	}
	return shipTo(objects, log, settings.LogLevel), nil
}

func shipTo(objects bucket.Objects, log *slog.Logger, level string) *shipping {
	return &shipping{objects: objects, log: log, level: level, turns: make(chan struct{}, shipParallel), stopping: make(chan struct{})}
}

// attemptLog is the log of one attempt of an activity.
type attemptLog struct {
	shipping *shipping
	name     tasklog.Name
	kept     boundedLog
	logger   sdklog.Logger // writes to kept
	ended    chan struct{}
}

// begin starts the log of the attempt that the context is of. It returns nil for an activity that
// works for no task.
func (s *shipping) begin(ctx context.Context) *attemptLog {
	ref, ok := steps.TaskRefOf(ctx)
	if s == nil || !ok {
		return nil
	}
	info := activity.GetInfo(ctx)
	return s.keep(tasklog.Name{
		DAG: ref.DAG, Date: ref.Date, RunID: info.WorkflowExecution.RunID, Task: ref.Task, Try: ref.Try,
		Activity: info.ActivityType.Name, ActivityID: info.ActivityID, Attempt: int(info.Attempt),
	}, "WorkflowID", info.WorkflowExecution.ID)
}

// keep starts the log of an attempt. Each line has the fields, and those of the name.
func (s *shipping) keep(name tasklog.Name, fields ...any) *attemptLog {
	a := &attemptLog{shipping: s, name: name, ended: make(chan struct{})}
	fields = append([]any{
		"dag", name.DAG, "logical_date", string(name.Date), "task", name.Task, "try", name.Try,
		"ActivityType", name.Activity, "ActivityID", name.ActivityID, "Attempt", name.Attempt, "RunID", name.RunID,
	}, fields...)
	a.logger = sdklog.With(jsonLines(&a.kept, s.level), fields...)
	s.attempts.Go(a.ship)
	return a
}

// jsonLines returns a logger that writes lines like those of the worker.
func jsonLines(w io.Writer, level string) sdklog.Logger {
	lines, err := observe.NewLogger(w, level)
	if err != nil { // the worker does not start with an invalid level
		lines = slog.New(slog.NewJSONHandler(w, nil))
	}
	return sdklog.NewStructuredLogger(lines)
}

// end ends the log; nil has none.
func (a *attemptLog) end() {
	if a != nil {
		close(a.ended)
	}
}

// ship writes the log to the bucket at intervals, and at its end.
func (a *attemptLog) ship() {
	shipped, pause := 0, time.NewTimer(shipFirst)
	defer pause.Stop()
	for over := false; !over; {
		select {
		case <-a.ended:
			over = true
		case <-a.shipping.stopping:
			over = true
		case <-pause.C:
			pause.Reset(shipEvery)
		}
		body, lines := a.kept.content()
		if lines == shipped {
			continue
		}
		if err := a.put(body); err != nil {
			a.shipping.log.Warn("the log of an activity was not written to the bucket", "key", a.name.Key(), "error", err)
			continue
		}
		shipped = lines
	}
}

// put writes the object. Its timeout is its own, because the context of the activity may be done.
func (a *attemptLog) put(body []byte) error {
	ctx, done := context.WithTimeout(context.Background(), shipTimeout)
	defer done()
	select {
	case a.shipping.turns <- struct{}{}:
		defer func() { <-a.shipping.turns }()
	case <-ctx.Done():
		return fmt.Errorf("%d other logs are being written: %w", shipParallel, ctx.Err())
	}
	return a.shipping.objects.Put(ctx, bucket.PutInput{Key: a.name.Key(), Body: body})
}

// drain writes all logs and waits for that. No activity may start after it.
func (s *shipping) drain() {
	close(s.stopping)
	s.attempts.Wait()
}

// twoLoggers writes each line to two loggers.
type twoLoggers [2]sdklog.Logger

func (t twoLoggers) Debug(msg string, fields ...any) {
	t[0].Debug(msg, fields...)
	t[1].Debug(msg, fields...)
}

func (t twoLoggers) Info(msg string, fields ...any) {
	t[0].Info(msg, fields...)
	t[1].Info(msg, fields...)
}

func (t twoLoggers) Warn(msg string, fields ...any) {
	t[0].Warn(msg, fields...)
	t[1].Warn(msg, fields...)
}

func (t twoLoggers) Error(msg string, fields ...any) {
	t[0].Error(msg, fields...)
	t[1].Error(msg, fields...)
}

// With adds fields to both loggers.
func (t twoLoggers) With(fields ...any) sdklog.Logger {
	return twoLoggers{sdklog.With(t[0], fields...), sdklog.With(t[1], fields...)}
}
