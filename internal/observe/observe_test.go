package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExitWithParent(t *testing.T) {
	t.Run("ends_on_a_signal_and_restores_signals", func(t *testing.T) {
		signals := make(chan os.Signal, 1)
		restored := make(chan struct{})
		ctx, release := watch(t.Context(), signals, func() { close(restored) }, nil)
		defer release()
		require.NoError(t, ctx.Err())
		signals <- syscall.SIGTERM
		<-ctx.Done()
		require.ErrorContains(t, context.Cause(ctx), "terminated")
		<-restored // a second signal has its default effect
	})

	t.Run("ends_with_standard_input", func(t *testing.T) {
		parent, child := io.Pipe()
		ctx, release := watch(t.Context(), nil, func() {}, parent)
		defer release()
		_, err := child.Write([]byte("what is written does not matter\n"))
		require.NoError(t, err)
		require.NoError(t, ctx.Err())
		require.NoError(t, child.Close())
		<-ctx.Done()
		require.ErrorContains(t, context.Cause(ctx), ExitWithStdin)
	})

	t.Run("ignores_standard_input_by_default", func(t *testing.T) {
		t.Setenv(ExitWithStdin, "")
		ctx, release := ExitWithParent(t.Context())
		require.NoError(t, ctx.Err())
		release()
		<-ctx.Done()
		require.ErrorIs(t, context.Cause(ctx), context.Canceled)
	})

	t.Run("handles_real_signals", func(t *testing.T) {
		ctx, release := ExitWithParent(t.Context())
		defer release()
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
		<-ctx.Done()
		require.ErrorContains(t, context.Cause(ctx), "terminated")
	})
}

func TestNewLogger(t *testing.T) {
	t.Run("renames_the_fields_of_the_sdk", func(t *testing.T) {
		var out bytes.Buffer
		log, err := NewLogger(&out, "info")
		require.NoError(t, err)
		log.Debug("not this")
		log.With("WorkflowID", "pinterest-daily-2022-10-18").Info("this", "RunID", "r", "task", "load")
		var line map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &line))
		require.Equal(t, "this", line["msg"])
		require.Equal(t, "pinterest-daily-2022-10-18", line["workflow_id"])
		require.Equal(t, "r", line["run_id"])
		require.Equal(t, "load", line["task"])
	})

	t.Run("rejects_an_unknown_level", func(t *testing.T) {
		_, err := NewLogger(io.Discard, "loud")
		require.ErrorContains(t, err, `PINFLOW_LOG_LEVEL="loud"`)
	})
}

func TestMetrics(t *testing.T) {
	t.Run("serve_the_sd_ks_and_their_own", func(t *testing.T) {
		metrics, err := NewMetrics()
		require.NoError(t, err)
		handler := metrics.Temporal(slog.New(slog.DiscardHandler)).WithTags(map[string]string{"namespace": "default"})
		handler.Counter("temporal_request").Inc(2)
		handler.Timer("temporal_workflow_task_execution_latency").Record(30 * time.Millisecond)
		counter, err := metrics.Meter().Int64Counter("pinflow_things")
		require.NoError(t, err)
		counter.Add(t.Context(), 3)

		answer := httptest.NewRecorder()
		metrics.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
		require.Equal(t, 200, answer.Code)
		body := answer.Body.String()
		require.Contains(t, body, `temporal_request_total{namespace="default"} 2`)
		require.Contains(t, body, "pinflow_things_total 3")
		require.Contains(t, body, `temporal_workflow_task_execution_latency_seconds_bucket{namespace="default",le="0.025"} 0`)
		require.Contains(t, body, `temporal_workflow_task_execution_latency_seconds_bucket{namespace="default",le="0.05"} 1`)
		require.Contains(t, body, "go_goroutines")
		require.NoError(t, metrics.Close(t.Context()))
	})
}
