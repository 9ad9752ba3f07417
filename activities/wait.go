package activities

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/failure"
)

const (
	// firstPoll, pollGrowth and maxPoll space requests that are repeated until they succeed, or
	// until a cancelled run has ended. Polls of a run that works are spaced by pace.
	firstPoll  = 100 * time.Millisecond
	pollGrowth = 1.25
	maxPoll    = 30 * time.Second
	// heartbeatEvery is the time between two heartbeats of a wait. A call of up to callTimeout can
	// come on top.
	heartbeatEvery = 10 * time.Second
	// maxRetryAfter is the longest Retry-After that is respected.
	maxRetryAfter = 10 * time.Minute
)

// pacing is the sequence of pauses between polls.
type pacing struct{ pause time.Duration }

// next returns the next pause. It varies by a fifth, so that runs that started together are not
// polled together.
func (p *pacing) next() time.Duration {
	if p.pause == 0 {
		p.pause = firstPoll
	}
	pause := time.Duration(float64(p.pause) * (0.8 + 0.4*rand.Float64()))
	p.pause = min(time.Duration(float64(p.pause)*pollGrowth), maxPoll)
	return pause
}

// WaitNotebook waits until a Databricks run has ended. Only SUCCESS is success, and
// SUCCESS_WITH_FAILURES if the input allows it. Any other end is an error of type NotebookFailed or
// NotebookConflict with a NotebookFailure as its details. Temporal does not retry it, because the
// run stays failed.
//
// Faults of the API do not fail a run: after too many requests, 5xx answers, timeouts and lost
// connections the next poll follows, until the timeout of the activity. The run is cancelled only
// if the activity is. If the worker stops, or the activity is paused or reset, the run continues
// and the next attempt waits for it.
func (n *Notebooks) WaitNotebook(ctx context.Context, in WaitNotebookInput) (NotebookResult, error) {
	var run *jobs.Run
	info, failing, retries := activity.GetInfo(ctx), false, pacing{}
	pace := n.Polls.newPace(in.Run.Notebook, n.clock.Now().Add(-info.StartedTime.Sub(info.ScheduledTime)))
	for {
		asked := n.clock.Now()
		status, err := n.getRun(ctx, in.Run.RunID)
		if ctx.Err() != nil {
			return n.interrupted(ctx, in)
		}
		now := n.clock.Now()
		if err == nil {
			pace.see(status, now)
		}
		pause := pace.next(now, now.Sub(asked))
		switch {
		case err == nil && hasEnded(status):
			result, err := n.result(ctx, in, status)
			if err == nil {
				n.Polls.learn(in.Run.Notebook, pace.ran)
			}
			return result, err
		case err == nil:
			run, failing, retries = status, false, pacing{}
		case isPermanent(err):
			return NotebookResult{}, n.lost(ctx, in, err)
		default:
			pause = max(pause, retries.next(), retryAfter(err))
			if !failing {
				activity.GetLogger(ctx).Warn("cannot get the state of the run; retrying", "run", in.Run.RunID, "link", link(in.Run, run), "error", err)
			}
			failing = true
		}
		if err := n.restUnlessStopping(ctx, pause); err != nil {
			if errors.Is(err, errStopping) {
				return NotebookResult{}, handOver(in.Run.RunID, link(in.Run, run))
			}
			return n.interrupted(ctx, in)
		}
	}
}

// errStopping is the cause of a wait that ends because the worker stops. The next attempt continues
// it.
var errStopping = errors.New("the worker is stopping")

// handOver returns the error after which Temporal starts the next attempt soon, on another worker.
func handOver(runID int64, page string) error {
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf("%v: run %d continues, and the next attempt waits for it: %s", errStopping, runID, page),
		"WorkerStopping", temporal.ApplicationErrorOptions{NextRetryDelay: time.Second, Cause: errStopping})
}

// restUnlessStopping sleeps before a poll, and longer if the worker polls too many runs. It returns
// errStopping as soon as the worker stops.
func (n *Notebooks) restUnlessStopping(ctx context.Context, pause time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	rested := make(chan struct{})
	defer close(rested)
	stopping := activity.GetWorkerStopChannel(ctx)
	go func() {
		select {
		case <-stopping:
			cancel(errStopping)
		case <-rested:
		}
	}()
	if err := n.rest(ctx, pause); err != nil {
		return err
	}
	return n.rest(ctx, n.Polls.delay(n.clock.Now()))
}

// interrupted ends a wait whose context is done. Only a cancellation of the activity cancels the
// run. A stopping worker, a pause, a reset and a lost connection to Temporal also end the context,
// and the next attempt needs the run.
func (n *Notebooks) interrupted(ctx context.Context, in WaitNotebookInput) (NotebookResult, error) {
	cause := context.Cause(ctx)
	if !temporal.IsCanceledError(cause) {
		return NotebookResult{}, fmt.Errorf("the wait for run %d was interrupted; the run continues: %w", in.Run.RunID, cause)
	}
	fresh := context.WithoutCancel(ctx)
	run, err := n.cancelRun(fresh, in.Run.RunID)
	if err != nil || run == nil {
		activity.GetLogger(ctx).Error("the run was cancelled, but has not ended: see its page",
			"run", in.Run.RunID, "link", link(in.Run, run), "error", err)
		return NotebookResult{}, cause
	}
	if succeeded(run, in.AllowFailures) {
		return n.result(fresh, in, run) // it ended before the cancellation
	}
	return NotebookResult{}, cause
}

// lost returns the error for an answer that the next poll would get again.
func (n *Notebooks) lost(ctx context.Context, in WaitNotebookInput, err error) error {
	if errors.Is(err, apierr.ErrUnauthenticated) || errors.Is(err, apierr.ErrPermissionDenied) {
		// The run continues: a worker with valid credentials can wait for it, so that this is
		// retried.
		return fmt.Errorf("cannot get the state of run %d: Databricks rejected the credentials: check DATABRICKS_TOKEN and restart the worker: %s: %w", in.Run.RunID, in.Run.Link, err)
	}
	if errors.Is(err, apierr.ErrNotFound) {
		details := NotebookFailure{RunID: in.Run.RunID, Link: in.Run.Link, State: "DELETED"}
		return temporal.NewNonRetryableApplicationError(fmt.Sprintf("run %d was deleted from the workspace; a new try starts another: %s", in.Run.RunID, in.Run.Link),
			failure.NotebookFailed, err, details)
	}
	return databricksError(ctx, fmt.Sprintf("get the state of run %d (%s)", in.Run.RunID, in.Run.Link), err)
}

// retryAfter returns the pause that Databricks requests; 0 if it requests none.
func retryAfter(err error) time.Duration {
	var answer *apierr.APIError
	if !errors.As(err, &answer) {
		return 0
	}
	var pause time.Duration
	if info := answer.ErrorDetails().RetryInfo; info != nil {
		pause = info.RetryDelay
	}
	if wrapper := answer.ResponseWrapper; wrapper != nil && wrapper.Response != nil {
		header := wrapper.Response.Header.Get("Retry-After")
		if seconds, err := strconv.Atoi(header); err == nil {
			pause = time.Duration(seconds) * time.Second
		} else if moment, err := http.ParseTime(header); err == nil {
			pause = time.Until(moment)
		}
	}
	return min(max(pause, 0), maxRetryAfter)
}

// link returns the page of a run.
func link(started NotebookRun, run *jobs.Run) string {
	if run != nil && run.RunPageUrl != "" {
		return run.RunPageUrl
	}
	return started.Link
}
