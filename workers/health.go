package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// pollLimit is how old the last answer to a poll may be. Temporal answers a poll without work after
// a minute (matching.longPollExpirationInterval), and the SDK polls again at once.
const pollLimit = 90 * time.Second

// health observes when Temporal last answered a poll of the worker: a worker whose polls are not
// answered gets no work.
//
// It observes the calls of the client, because the SDK does not report polls without work. A worker
// whose activity slots are all in use does not poll for activities, so an answer to any poll
// counts: workflow tasks are short and always polled for.
type health struct {
	now func() time.Time

	mu       sync.Mutex
	started  time.Time // when the worker started to poll
	answered time.Time // when a poll was last answered
	failure  error     // the error of the last poll
	draining bool
}

// intercept observes every call to Temporal.
func (h *health) intercept(ctx context.Context, method string, in, out any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	err := invoke(ctx, method, in, out, conn, options...)
	if !isPoll(method) || ctx.Err() != nil { // a poll that the worker cancelled says nothing about Temporal
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failure = err; err == nil {
		h.answered = h.now()
	}
	return err
}

// isPoll reports whether a call polls for work, as
// /temporal.api.workflowservice.v1.WorkflowService/PollWorkflowTaskQueue does.
func isPoll(method string) bool {
	name := method[strings.LastIndex(method, "/")+1:]
	return strings.HasPrefix(name, "Poll") && strings.HasSuffix(name, "TaskQueue")
}

// start records that the worker has started to poll.
func (h *health) start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.started = h.now()
}

// drain records that the worker takes no more work.
func (h *health) drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// report is the response of /healthz.
type report struct {
	Status string `json:"status"` // ok, starting, draining or failing
	// LastPoll is when a poll was last answered, with or without work.
	LastPoll time.Time `json:"lastPoll,omitzero"`
	// Reason is why the worker is not ok, or the last error although it is.
	Reason string `json:"reason,omitempty"`
}

// check returns the state of the worker. One that has just started is ok until pollLimit has
// passed.
func (h *health) check() report {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := report{Status: "ok", LastPoll: h.answered}
	if h.failure != nil {
		r.Reason = "the last poll failed: " + h.failure.Error()
	}
	latest := h.answered
	if h.started.After(latest) {
		latest = h.started
	}
	silent := h.now().Sub(latest)
	switch {
	case h.draining:
		r.Status, r.Reason = "draining", "the worker is shutting down"
	case h.started.IsZero():
		r.Status = "starting"
	case silent > pollLimit && r.Reason == "":
		r.Status, r.Reason = "failing", fmt.Sprintf("no poll was answered for %s", silent.Round(time.Second))
	case silent > pollLimit:
		r.Status = "failing"
	}
	return r
}

// ServeHTTP answers /healthz: 200 if the worker gets work, else 503.
func (h *health) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	r := h.check()
	body, err := json.Marshal(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.Status != "ok" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(append(body, '\n')) // a client that has gone needs no answer
}
