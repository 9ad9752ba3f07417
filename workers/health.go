package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// pollLimit is how old the last sign of polling may be. A long poll that finds no work comes back empty after one minute
// (https://docs.temporal.io/workers#worker-poll), and the SDK asks again at once.
const pollLimit = 90 * time.Second

// polls knows when the worker last asked Temporal for work, and whether it was answered. It is the worker's health: a process that
// runs and polls nothing is of no use.
type polls struct {
	now func() time.Time

	mu      sync.Mutex
	asked   time.Time // when the latest poll began
	success time.Time // when a poll was last answered
	failure error     // of the latest poll that ended, if it failed
}

// intercept sees every call to Temporal.
func (p *polls) intercept(ctx context.Context, method string, in, out any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if !strings.Contains(method, "/Poll") || !strings.HasSuffix(method, "TaskQueue") {
		return invoke(ctx, method, in, out, conn, options...)
	}
	p.mu.Lock()
	p.asked = p.now()
	p.mu.Unlock()
	err := invoke(ctx, method, in, out, conn, options...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure = err; err == nil {
		p.success = p.now()
	}
	return err
}

// check returns why the worker is not healthy, or nil.
func (p *polls) check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	switch {
	case p.asked.IsZero():
		return fmt.Errorf("the worker has not asked for work yet")
	case p.failure != nil && now.Sub(p.success) > pollLimit:
		return fmt.Errorf("the worker cannot get work since %s: %w", p.success.UTC().Format(time.RFC3339), p.failure)
	case now.Sub(p.asked) > pollLimit && now.Sub(p.success) > pollLimit:
		return fmt.Errorf("the worker has not asked for work since %s", p.asked.UTC().Format(time.RFC3339))
	}
	return nil
}

// ServeHTTP answers /healthz: 200 if the worker gets work, else 503 with the reason.
func (p *polls) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if err := p.check(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
