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

// pollLimit is how old the last answer to a poll may be. A poll that finds no work is answered empty after a minute (Temporal's
// matching.longPollExpirationInterval), and the SDK polls again at once.
const pollLimit = 90 * time.Second

// health knows when Temporal last answered the worker's question for work. A process that runs but gets no work is of no use.
//
// The polls are seen as calls of the client: the SDK has no other sign of one that was answered empty. A worker that is full polls no
// more for what it is full of, so an answer to any poll counts: workflow tasks are short, and never fill it for long.
type health struct {
	now func() time.Time

	mu       sync.Mutex
	started  time.Time // when the worker began to poll
	answered time.Time // when a poll was last answered
	failure  error     // of the last poll, if it was refused
	draining bool
}

// intercept sees every call to Temporal.
func (h *health) intercept(ctx context.Context, method string, in, out any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	err := invoke(ctx, method, in, out, conn, options...)
	if !isPoll(method) || ctx.Err() != nil { // a poll that the worker itself gave up says nothing about Temporal
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failure = err; err == nil {
		h.answered = h.now()
	}
	return err
}

// isPoll says whether a call asks for work: /temporal.api.workflowservice.v1.WorkflowService/PollWorkflowTaskQueue and the like.
func isPoll(method string) bool {
	name := method[strings.LastIndex(method, "/")+1:]
	return strings.HasPrefix(name, "Poll") && strings.HasSuffix(name, "TaskQueue")
}

// start says that the worker polls from now on.
func (h *health) start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.started = h.now()
}

// drain says that the worker takes no more work.
func (h *health) drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// report is what /healthz answers.
type report struct {
	Status string `json:"status"` // ok, starting, draining or failing
	// LastPoll is when a poll was last answered, with work or empty.
	LastPoll time.Time `json:"lastPoll,omitzero"`
	// Reason says why the worker is not ok, or what went wrong last although it is.
	Reason string `json:"reason,omitempty"`
}

// check judges the worker. The first polls may be on their way for as long as any: a worker that has just started is ok.
func (h *health) check() report {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := report{Status: "ok", LastPoll: h.answered}
	if h.failure != nil {
		r.Reason = "the last poll was refused: " + h.failure.Error()
	}
	latest := h.answered
	if h.started.After(latest) {
		latest = h.started
	}
	silent := h.now().Sub(latest)
	switch {
	case h.draining:
		r.Status, r.Reason = "draining", "the worker has been told to end"
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
