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
	// firstPoll, pollGrowth and maxPoll make the polls of a run: 100 ms at first, so that a run of seconds is seen to end within
	// tenths of one, then slower by a quarter each time: 2 s after ten seconds, 30 s after some minutes. Databricks allows 10
	// to 100 requests a second for a workspace; a hundred runs that are minutes old make three.
	firstPoll  = 100 * time.Millisecond
	pollGrowth = 1.25
	maxPoll    = 30 * time.Second
	// heartbeatEvery is the longest time between two heartbeats of a wait, but for a call that takes up to callTimeout.
	heartbeatEvery = 10 * time.Second
	// maxRetryAfter is the longest Retry-After that is kept; a longer one is a mistake of the answer.
	maxRetryAfter = 10 * time.Minute
)

// pacing is the series of pauses between polls.
type pacing struct{ pause time.Duration }

// next returns the next pause, up to a fifth longer or shorter, so that runs that started together are not asked for together.
func (p *pacing) next() time.Duration {
	if p.pause == 0 {
		p.pause = firstPoll
	}
	pause := time.Duration(float64(p.pause) * (0.8 + 0.4*rand.Float64()))
	p.pause = min(time.Duration(float64(p.pause)*pollGrowth), maxPoll)
	return pause
}

// WaitNotebook waits until a run has ended. Only SUCCESS is success, or SUCCESS_WITH_FAILURES too if the input allows it. Any
// other end is an error of type NotebookFailed or NotebookConflict, with a NotebookFailure as its details, which Temporal
// does not retry: the run would stay failed.
//
// Trouble with the API never fails a run: too many requests (Retry-After is kept), answers of 5xx, time limits and lost connections
// are polled away until the activity's own time limit. The run is cancelled only if the workflow asks for it. If the worker stops,
// or the activity is paused or reset, the run goes on and the next attempt finds it again.
func (n *Notebooks) WaitNotebook(ctx context.Context, in WaitNotebookInput) (NotebookResult, error) {
	var run *jobs.Run
	pace, troubled := pacing{}, false
	for {
		status, err := n.getRun(ctx, in.Run.RunID)
		if ctx.Err() != nil {
			return n.leave(ctx, in)
		}
		pause := pace.next()
		switch {
		case err == nil && hasEnded(status):
			return n.result(ctx, in, status)
		case err == nil:
			run, troubled = status, false
		case isPermanent(err):
			return NotebookResult{}, n.lost(ctx, in, err)
		default:
			pause = max(pause, retryAfter(err))
			if !troubled {
				activity.GetLogger(ctx).Warn("Databricks does not tell the run's state; asking on.", "run", in.Run.RunID, "link", link(in.Run, run), "error", err)
			}
			troubled = true
		}
		if err := n.restUnlessStopping(ctx, pause); err != nil {
			if errors.Is(err, errStopping) {
				return NotebookResult{}, handOver(in.Run.RunID, link(in.Run, run))
			}
			return n.leave(ctx, in)
		}
	}
}

// errStopping says that the worker is about to stop. Waiting is handed over at once: it would only hold the worker up.
var errStopping = errors.New("the worker stops")

// handOver is the error that lets Temporal give the wait to another worker, soon, whatever attempt it is.
func handOver(runID int64, page string) error {
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf("%v: run %d goes on and is waited for by the next attempt: %s", errStopping, runID, page),
		"WorkerStopping", temporal.ApplicationErrorOptions{NextRetryDelay: time.Second, Cause: errStopping})
}

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
	return n.rest(ctx, pause)
}

// leave ends a wait whose context is done. Temporal's cancellation is the only cause that is meant for the run; a stopping worker, a
// pause, a reset and a lost connection to Temporal cancel the context too, and the next attempt needs the run.
func (n *Notebooks) leave(ctx context.Context, in WaitNotebookInput) (NotebookResult, error) {
	cause := context.Cause(ctx)
	if !temporal.IsCanceledError(cause) {
		return NotebookResult{}, fmt.Errorf("waiting for run %d was interrupted, the run goes on: %w", in.Run.RunID, cause)
	}
	fresh := context.WithoutCancel(ctx)
	run, err := n.cancelRun(fresh, in.Run.RunID)
	if err != nil || run == nil {
		activity.GetLogger(ctx).Error("The run was to be cancelled, but Databricks does not say that it has ended: look at its page.",
			"run", in.Run.RunID, "link", link(in.Run, run), "error", err)
		return NotebookResult{}, cause
	}
	if succeeded(run, in.AllowFailures) {
		return n.result(fresh, in, run) // it was done before the cancellation came
	}
	return NotebookResult{}, cause
}

// lost is the error for an answer that no further poll will change.
func (n *Notebooks) lost(ctx context.Context, in WaitNotebookInput, err error) error {
	if errors.Is(err, apierr.ErrUnauthenticated) || errors.Is(err, apierr.ErrPermissionDenied) {
		// The run is not to blame, and it goes on: a worker with the right credentials can wait for it.
		return fmt.Errorf("run %d cannot be watched, Databricks refuses the worker: check DATABRICKS_TOKEN and restart the worker: %s: %w", in.Run.RunID, in.Run.Link, err)
	}
	if errors.Is(err, apierr.ErrNotFound) {
		failure1 := NotebookFailure{RunID: in.Run.RunID, Link: in.Run.Link, State: "DELETED"}
		return temporal.NewNonRetryableApplicationError(fmt.Sprintf("run %d is not there any more, somebody has deleted it; a new try starts another: %s", in.Run.RunID, in.Run.Link),
			failure.NotebookFailed, err, failure1)
	}
	return databricksError(ctx, fmt.Sprintf("ask for the state of run %d (%s)", in.Run.RunID, in.Run.Link), err)
}

// retryAfter is how long Databricks asks to be left alone; 0 if it does not say.
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

// link is the run's page, from whoever knows it.
func link(started NotebookRun, run *jobs.Run) string {
	if run != nil && run.RunPageUrl != "" {
		return run.RunPageUrl
	}
	return started.Link
}
