package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

const (
	pollWorkflow = "/temporal.api.workflowservice.v1.WorkflowService/PollWorkflowTaskQueue"
	pollActivity = "/temporal.api.workflowservice.v1.WorkflowService/PollActivityTaskQueue"
	otherCall    = "/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace"
)

// call intercepts a call to Temporal that returns the error.
func (h *health) call(ctx context.Context, method string, err error) error {
	return h.intercept(ctx, method, nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return err })
}

func TestHealth(t *testing.T) {
	t.Run("depends_on_answered_polls", func(t *testing.T) {
		failed := errors.New("failed")
		start := time.Date(2022, 10, 18, 0, 0, 0, 0, time.UTC)
		for name, row := range map[string]struct {
			happens func(h *health, pass func(time.Duration))
			status  string
			reason  string
		}{
			"not started":                   {func(*health, func(time.Duration)) {}, "starting", ""},
			"started, the first poll waits": {func(h *health, pass func(time.Duration)) { h.start(); pass(pollLimit) }, "ok", ""},
			"no poll was ever answered":     {func(h *health, pass func(time.Duration)) { h.start(); pass(pollLimit + time.Second) }, "failing", "1m31s"},
			"polled lately": {func(h *health, pass func(time.Duration)) {
				h.start()
				pass(time.Hour)
				require.NoError(t, h.call(t.Context(), pollWorkflow, nil))
				pass(pollLimit)
			}, "ok", ""},
			"activities alone are polled": {func(h *health, pass func(time.Duration)) {
				h.start()
				pass(time.Hour)
				require.NoError(t, h.call(t.Context(), pollActivity, nil))
			}, "ok", ""},
			"polled long ago": {func(h *health, pass func(time.Duration)) {
				h.start()
				require.NoError(t, h.call(t.Context(), pollWorkflow, nil))
				pass(pollLimit + time.Second)
			}, "failing", "no poll was answered"},
			"other calls are no polls": {func(h *health, pass func(time.Duration)) {
				h.start()
				pass(time.Hour)
				require.NoError(t, h.call(t.Context(), otherCall, nil))
			}, "failing", "no poll was answered"},
			"failed once, after an answer": {func(h *health, pass func(time.Duration)) {
				h.start()
				require.NoError(t, h.call(t.Context(), pollWorkflow, nil))
				require.ErrorIs(t, h.call(t.Context(), pollWorkflow, failed), failed)
			}, "ok", "failed"},
			"failed for long": {func(h *health, pass func(time.Duration)) {
				h.start()
				pass(time.Hour)
				require.ErrorIs(t, h.call(t.Context(), pollWorkflow, failed), failed)
			}, "failing", "failed"},
			"a poll that the worker gave up": {func(h *health, pass func(time.Duration)) {
				h.start()
				require.NoError(t, h.call(t.Context(), pollWorkflow, nil))
				ended, end := context.WithCancel(t.Context())
				end()
				require.ErrorIs(t, h.call(ended, pollWorkflow, context.Canceled), context.Canceled)
			}, "ok", ""},
			"draining": {func(h *health, pass func(time.Duration)) {
				h.start()
				require.NoError(t, h.call(t.Context(), pollWorkflow, nil))
				h.drain()
			}, "draining", "shutting down"},
		} {
			t.Run(name, func(t *testing.T) {
				now := start
				h := &health{now: func() time.Time { return now }}
				row.happens(h, func(d time.Duration) { now = now.Add(d) })

				answer := httptest.NewRecorder()
				h.ServeHTTP(answer, httptest.NewRequest("GET", "/healthz", nil))
				var got report
				require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &got))
				require.Equal(t, row.status, got.Status)
				if row.reason == "" {
					require.Empty(t, got.Reason)
				} else {
					require.Contains(t, got.Reason, row.reason)
				}
				want := 503
				if row.status == "ok" {
					want = 200
				}
				require.Equal(t, want, answer.Code)
			})
		}
	})
}
