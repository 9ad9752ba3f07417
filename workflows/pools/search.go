package pools

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

const (
	// searchInterval is how often the Pools workflow looks for requests that it does not know: the
	// longest time for which a run waits whose request was lost. A reset can lose one, if the worker
	// dies that sends it for the new run, and so can the end of a Pools workflow.
	searchInterval = 30 * time.Minute
	// unansweredInterval is searchInterval while a run does not answer: its workflow task fails, or
	// no worker of its version is running.
	unansweredInterval = time.Minute
)

// rebuild finds the requests of all open runs, unless the state comes from this workflow's own
// predecessor.
func (p *poolsRun) rebuild(ctx workflow.Context) {
	if !p.rebuilt {
		p.search(ctx)
		p.rebuilt = true
	}
}

// searchAgain repeats the search.
func (p *poolsRun) searchAgain(ctx workflow.Context) {
	if p.nextSearch.IsZero() {
		p.nextSearch = workflow.Now(ctx).Add(searchInterval)
	}
	for {
		_ = steps.Sleep(ctx, p.nextSearch.Sub(workflow.Now(ctx)), "look for requests that were lost")
		p.search(ctx)
		p.changed = true
	}
}

// search adds the requests of all open runs that are not known.
func (p *poolsRun) search(ctx workflow.Context) {
	p.searching = true
	interval := searchInterval
	for in, last := (activities.FindRequestsInput{}), false; !last; {
		var found activities.FoundRequests
		// The policy retries for ever, and nothing cancels this context.
		_ = workflow.ExecuteActivity(steps.WithPolicy(ctx, steps.FindPolicy, "find the requests of open runs"), steps.FindRequests, in).Get(ctx, &found)
		for _, request := range found.Requests {
			p.found(ctx, request)
		}
		if found.Unanswered > 0 {
			interval = unansweredInterval
		}
		in.PageToken, last = found.PageToken, len(found.PageToken) == 0
	}
	p.searching, p.ended = false, nil
	p.nextSearch = workflow.Now(ctx).Add(interval)
}

// found adds the request of an open run. A request that was at work comes first: its Databricks run
// may still write. What has ended since the search began was still open when the run was asked.
func (p *poolsRun) found(ctx workflow.Context, request run.OpenRequest) {
	if slices.ContainsFunc(p.ended, request.Same) {
		return
	}
	if request.Started {
		request.Priority = 0
	}
	p.add(ctx, request.Request)
	p.waiting.rejoin(request)
	if request.Withdrawn {
		p.withdraw(ctx, run.Withdrawal{WorkflowID: request.WorkflowID, RunID: request.RunID, Task: request.Task})
	}
}

// forget notes that a request is not known any more.
func (p *poolsRun) forget(request run.Request) {
	if p.searching {
		p.ended = append(p.ended, request)
	}
}

// withdrawClosed withdraws the requests of runs that have closed without doing it themselves:
// terminated ones. It looks only while a request waits: at once, and then every closedInterval.
func (p *poolsRun) withdrawClosed(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return p.waiting.size > 0 && p.next(ctx) == nil && p.lingers.IsZero() })
		var of []activities.Requester
		for _, w := range p.work {
			for _, m := range w.members {
				of = append(of, activities.Requester{WorkflowID: m.WorkflowID, RunID: m.RunID})
			}
		}
		for _, a := range p.announced {
			of = append(of, activities.Requester{WorkflowID: a.WorkflowID, RunID: a.RunID})
		}
		p.withdrawClosedOf(ctx, of)
		_ = steps.Sleep(ctx, closedInterval, "look for closed runs again")
	}
}

// withdrawClosedOf withdraws the requests of those runs that have closed.
func (p *poolsRun) withdrawClosedOf(ctx workflow.Context, of []activities.Requester) {
	if len(of) == 0 {
		return
	}
	var closed activities.ClosedRequesters
	if err := steps.ExecuteQuick(ctx, steps.PoolsPolicy, "find runs that have closed", steps.FindClosed, activities.FindClosedInput{Requesters: of}, &closed); err != nil {
		workflow.GetLogger(ctx).Warn("Requests of closed runs were not looked for; retrying", "error", err)
	}
	for _, r := range closed.Requesters {
		p.withdraw(ctx, run.Withdrawal{WorkflowID: r.WorkflowID, RunID: r.RunID})
		p.changed = true
	}
}
