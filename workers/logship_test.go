package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/tasklog"
	"github.com/pinflow/pinflow/workflows/steps"
)

// slowBucket is a bucket whose writes can block. It keeps all bodies of a key, not only the last.
type slowBucket struct {
	*buckettest.Memory
	mu   sync.Mutex
	puts map[string][]string // bodies, by key
	hang bool                // until the request's timeout
	// answers blocks writes until it is closed, unless it is nil.
	answers chan struct{}
}

func newSlowBucket() *slowBucket {
	return &slowBucket{Memory: buckettest.New(), puts: map[string][]string{}}
}

func (b *slowBucket) Put(ctx context.Context, object bucket.PutInput) error {
	if b.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if b.answers != nil {
		<-b.answers
	}
	b.mu.Lock()
	b.puts[object.Key] = append(b.puts[object.Key], string(object.Body))
	b.mu.Unlock()
	return b.Memory.Put(ctx, object)
}

// parsed returns the lines of a log.
func parsed(t *testing.T, body string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(body) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields), line)
		all = append(all, fields)
	}
	return all
}

var (
	someTask = &steps.TaskRef{DAG: "pinterest-daily", Date: "2022-10-18", Task: "clean_pin", Try: 2}
	someLog  = tasklog.Name{DAG: "pinterest-daily", Date: "2022-10-18", RunID: "r1", Task: "clean_pin", Try: 2, Activity: "WaitNotebook", ActivityID: "23", Attempt: 1}
)

func TestShipping(t *testing.T) {
	t.Run("writes_the_log_of_an_activity", func(t *testing.T) {
		objects := newSlowBucket()
		shipping := shipTo(objects, slog.New(slog.DiscardHandler), "info")
		_, err := linesOf(t, &taskLogs{shipping: shipping}, someTask, func(ctx context.Context) error {
			logger := activity.GetLogger(ctx)
			logger.Debug("a detail")
			logger.Info("at work", "rows", 3)
			return errors.New("no such table")
		})
		require.ErrorContains(t, err, "no such table")
		shipping.drain()
		require.Len(t, objects.puts, 1)
		for key, bodies := range objects.puts {
			require.Regexp(t, `^logs/pinterest-daily/2022-10-18/[^/]+/clean_pin/try-2/act-[^/]+-1\.jsonl$`, key)
			require.Len(t, bodies, 1, "an attempt that ends soon is one request")
			lines := parsed(t, bodies[0])
			require.Equal(t, []any{"activity starts", "at work", "activity failed"}, []any{lines[0]["msg"], lines[1]["msg"], lines[2]["msg"]})
			require.Equal(t, []any{"clean_pin", 2.0, "act", 3.0}, []any{lines[1]["task"], lines[1]["try"], lines[1]["activity"], lines[1]["rows"]})
			require.NotEmpty(t, lines[1]["run_id"])
			require.NotEmpty(t, lines[1]["workflow_id"])
			require.Equal(t, "no such table", lines[2]["error"])
		}
	})

	t.Run("ignores_activities_that_work_for_no_task", func(t *testing.T) {
		objects := newSlowBucket()
		shipping := shipTo(objects, slog.New(slog.DiscardHandler), "info")
		_, err := linesOf(t, &taskLogs{shipping: shipping}, nil, func(context.Context) error { return nil })
		require.NoError(t, err)
		shipping.drain()
		require.Empty(t, objects.puts)
	})

	t.Run("a_fault_is_logged_and_fails_no_activity", func(t *testing.T) {
		var logged bytes.Buffer
		objects := newSlowBucket()
		objects.FailBefore(func(string, string) error { return errors.New("503 SlowDown") })
		shipping := shipTo(objects, slog.New(slog.NewTextHandler(&logged, nil)), "info")
		_, err := linesOf(t, &taskLogs{shipping: shipping}, someTask, func(context.Context) error { return nil })
		require.NoError(t, err)
		shipping.drain()
		require.Contains(t, logged.String(), "503 SlowDown")
		require.Contains(t, logged.String(), "level=WARN")
	})

	t.Run("does_not_delay_an_activity", func(t *testing.T) {
		objects := newSlowBucket()
		objects.answers = make(chan struct{})
		shipping := shipTo(objects, slog.New(slog.DiscardHandler), "info")
		_, err := linesOf(t, &taskLogs{shipping: shipping}, someTask, func(context.Context) error { return nil })
		require.NoError(t, err, "the activity has returned before the bucket has answered")
		close(objects.answers)
		shipping.drain()
		require.Len(t, objects.puts, 1)
	})

	t.Run("writes_new_lines_of_a_running_attempt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			objects := newSlowBucket()
			kept := shipTo(objects, slog.New(slog.DiscardHandler), "info").keep(someLog)
			puts := func() int {
				synctest.Wait()
				objects.mu.Lock()
				defer objects.mu.Unlock()
				return len(objects.puts[someLog.Key()])
			}
			kept.logger.Info("begun")
			require.Zero(t, puts())
			time.Sleep(shipFirst)
			require.Equal(t, 1, puts(), "the log of a running attempt can be followed")
			time.Sleep(10 * shipEvery)
			require.Equal(t, 1, puts(), "nothing is new")
			kept.logger.Info("further")
			time.Sleep(shipEvery)
			require.Equal(t, 2, puts())
			kept.logger.Info("done")
			kept.end()
			require.Equal(t, 3, puts())
			require.Len(t, parsed(t, objects.puts[someLog.Key()][2]), 3, "each time the whole log")
		})
	})

	t.Run("retries_after_a_fault_while_an_attempt_runs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			objects := newSlowBucket()
			objects.FailBefore(func(string, string) error { return errors.New("away") })
			kept := shipTo(objects, slog.New(slog.DiscardHandler), "info").keep(someLog)
			kept.logger.Info("begun")
			time.Sleep(shipFirst + shipEvery)
			synctest.Wait()
			require.Len(t, objects.puts[someLog.Key()], 2, "although nothing is new")
			kept.end()
		})
	})

	t.Run("gives_up_a_request_that_hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			objects := newSlowBucket()
			objects.hang = true
			shipping := shipTo(objects, slog.New(slog.DiscardHandler), "info")
			for range 3 * shipParallel { // more than have a turn
				kept := shipping.keep(someLog)
				kept.logger.Info("begun")
				kept.end()
			}
			began := time.Now()
			shipping.drain()
			require.LessOrEqual(t, time.Since(began), 2*shipTimeout, "stopping a worker takes no longer")
		})
	})

	t.Run("drain_writes_the_logs_of_running_attempts", func(t *testing.T) {
		objects := newSlowBucket()
		shipping := shipTo(objects, slog.New(slog.DiscardHandler), "info")
		shipping.keep(someLog).logger.Info("begun")
		shipping.drain()
		require.Len(t, objects.puts[someLog.Key()], 1)
	})

	t.Run("logs_a_panic", func(t *testing.T) {
		objects := newSlowBucket()
		shipping := shipTo(objects, slog.New(slog.DiscardHandler), "info")
		_, err := linesOf(t, &taskLogs{shipping: shipping}, someTask, func(context.Context) error { panic("out of luck") })
		var panicked *temporal.PanicError
		require.ErrorAs(t, err, &panicked)
		shipping.drain()
		for _, bodies := range objects.puts {
			require.Contains(t, bodies[0], "activity panicked")
		}
		require.Len(t, objects.puts, 1)
	})
}

func TestBoundedLog(t *testing.T) {
	t.Run("removes_lines_in_the_middle", func(t *testing.T) {
		var kept boundedLog
		logger := jsonLines(&kept, "info")
		filling := strings.Repeat("x", 1000)
		const written = 5000
		for i := range written {
			logger.Info("line", "number", i, "filling", filling)
		}
		body, lines := kept.content()
		require.Equal(t, written, lines)
		require.LessOrEqual(t, len(body), logHead+logTail+300)
		all := parsed(t, string(body))
		require.EqualValues(t, 0, all[0]["number"])
		require.EqualValues(t, written-1, all[len(all)-1]["number"])
		var before, after, cut float64
		for i, line := range all {
			if n, ok := line["cut_lines"]; ok {
				before, after, cut = all[i-1]["number"].(float64), all[i+1]["number"].(float64), n.(float64)
				require.LessOrEqual(t, line["time"], all[i+1]["time"], "sorted by time the mark stays where it is")
			}
		}
		require.Positive(t, cut)
		require.Equal(t, after-before-1, cut, "the mark says how many are missing")
	})

	t.Run("keeps_a_short_log_whole", func(t *testing.T) {
		var kept boundedLog
		jsonLines(&kept, "info").Info("one")
		body, lines := kept.content()
		require.Equal(t, 1, lines)
		require.Len(t, parsed(t, string(body)), 1)
		require.NotContains(t, string(body), "cut_lines")
	})

	t.Run("drops_a_line_that_is_too_long", func(t *testing.T) {
		var kept boundedLog
		logger := jsonLines(&kept, "info")
		logger.Info("first")
		logger.Info("huge", "text", strings.Repeat("x", logTail+logHead))
		logger.Info("last")
		body, _ := kept.content()
		all := parsed(t, string(body))
		require.Equal(t, []any{"first", 1.0, "last"}, []any{all[0]["msg"], all[1]["cut_lines"], all[2]["msg"]})
	})
}
