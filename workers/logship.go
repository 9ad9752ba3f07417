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
	"github.com/pinflow/pinflow/workflows"
)

const (
	// shipFirst is when the log of an attempt that goes on is put into the bucket for the first time: soon, so that who follows a run
	// sees what is at work. Most attempts have ended by then, and cost one request.
	shipFirst = 3 * time.Second
	// shipEvery is how often it is put there again, if there is something new.
	shipEvery = 30 * time.Second
	// shipTimeout limits one such request, the wait for its turn included.
	shipTimeout = 5 * time.Second
	// shipParallel is how many of them are under way at once.
	shipParallel = 16
)

// shipping puts what activities log for a task into the bucket, an object an attempt, where it outlives the worker, its container and
// Temporal's retention. It never fails an activity and does not hold one up: the requests are made beside it.
type shipping struct {
	objects  bucket.Objects
	log      *slog.Logger // is told what could not be shipped
	level    string
	turns    chan struct{}
	stopping chan struct{}
	attempts sync.WaitGroup
}

// newShipping ships to the settings' bucket.
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

// attemptLog is what one attempt of an activity logs.
type attemptLog struct {
	shipping *shipping
	name     tasklog.Name
	kept     boundedLog
	logger   sdklog.Logger // writes to kept
	ended    chan struct{}
}

// begin keeps the log of an attempt from now on. It is nil for an activity that works for no task.
func (s *shipping) begin(ctx context.Context) *attemptLog {
	ref, ok := workflows.TaskRefOf(ctx)
	if s == nil || !ok {
		return nil
	}
	info := activity.GetInfo(ctx)
	return s.keep(tasklog.Name{
		DAG: ref.DAG, Date: ref.Date, RunID: info.WorkflowExecution.RunID, Task: ref.Task, Try: ref.Try,
		Activity: info.ActivityType.Name, ActivityID: info.ActivityID, Attempt: int(info.Attempt),
	}, "WorkflowID", info.WorkflowExecution.ID)
}

// keep starts an attempt's log. The fields stand in each line, beside those that the name has.
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

// jsonLines is a logger that writes as the worker's own does.
func jsonLines(w io.Writer, level string) sdklog.Logger {
	lines, err := observe.NewLogger(w, level)
	if err != nil { // the worker does not start with such a level
		lines = slog.New(slog.NewJSONHandler(w, nil))
	}
	return sdklog.NewStructuredLogger(lines)
}

// end says that nothing more is logged.
func (a *attemptLog) end() {
	if a != nil {
		close(a.ended)
	}
}

// ship puts the log into the bucket now and then, and at the end.
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
			a.shipping.log.Warn("The log of an activity could not be put into the bucket.", "key", a.name.Key(), "error", err)
			continue
		}
		shipped = lines
	}
}

// put writes the object. It has its own time: that of the activity may be over.
func (a *attemptLog) put(body []byte) error {
	ctx, done := context.WithTimeout(context.Background(), shipTimeout)
	defer done()
	select {
	case a.shipping.turns <- struct{}{}:
		defer func() { <-a.shipping.turns }()
	case <-ctx.Done():
		return fmt.Errorf("%d requests of this kind are under way already: %w", shipParallel, ctx.Err())
	}
	return a.shipping.objects.Put(ctx, bucket.PutInput{Key: a.name.Key(), Body: body})
}

// drain ships what there is of all logs, and waits for that. No activity may begin any more.
func (s *shipping) drain() {
	close(s.stopping)
	s.attempts.Wait()
}

// twoLoggers writes each line to both.
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

// With adds fields to both.
func (t twoLoggers) With(fields ...any) sdklog.Logger {
	return twoLoggers{sdklog.With(t[0], fields...), sdklog.With(t[1], fields...)}
}
