// Package pools holds the Pools workflow, which does the work of all tasks that share slots. It
// knows requests and operators, but no DAG and no run.
package pools

import (
	"encoding/json"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
)

const (
	// closedInterval is how often the Pools workflow looks for runs that have closed without
	// withdrawing their requests, while others wait: the longest time for which the work of a
	// terminated run keeps its slot.
	closedInterval = time.Minute
	// announcementTime is how long announcements count. If a run takes longer to send its requests,
	// because it is held or large, backfills do not wait for it any more.
	announcementTime = 30 * time.Minute
	// freshRequest is the age up to which the run of a request is taken to be open.
	freshRequest = 10 * time.Second
	// maxCarried limits the waiting requests that the workflow carries when it continues as new, in
	// bytes of JSON: half of what Temporal takes in a payload. It is enough for 50,000 requests.
	maxCarried = 1 << 20
)

// poolsRun is the running Pools workflow. Its coroutines share it without locks.
type poolsRun struct {
	operators operators.Codec
	work      []*poolWork
	waiting   *queue
	announced []run.Announcement
	rebuilt   bool
	inbox     workflow.ReceiveChannel
	changed   bool      // work ended, announcements lapsed, or a group has waited long enough
	lingers   time.Time // when to look again at groups that wait for companions
	answering int       // requests and groups whose answer is on its way
	// groupsAnswering counts the groups among them, and answered is when the last one had its answers.
	groupsAnswering int
	answered        time.Time
	panicked        bool // an operator did
	// obstacles are why operators cannot work on this build; by their JSON.
	obstacles map[string]string

	nextSearch time.Time
	searching  bool
	ended      []run.Request // since the search began
}

// Workflow is the Pools workflow, which performs the operators of a codec.
type Workflow struct {
	Operators operators.Codec
}

// Pools does the work of all tasks that have a pool: in each pool as many requests at a time as it
// has slots, by priority and then in the order of arrival. It reports to the run when the work has
// started, and ends the run's activity with the result. A deployment has one Pools workflow, which
// never ends; it continues as new with what is at work and what waits.
//
// The runs do not hold slots themselves: a run that is terminated, reset or cancelled has nothing
// to give back, because its work ends here before the next begins.
//
// It ignores cancellation, because it protects tables. If it is terminated, its successor looks for
// the requests of all open runs before it starts work.
func (w Workflow) Pools(ctx workflow.Context, state run.PoolsState) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	p := newPools(ctx, w.Operators, state)
	if err := workflow.SetQueryHandler(ctx, run.PoolsQuery, func() (run.PoolsState, error) { return p.state(), nil }); err != nil {
		return err
	}
	p.rebuild(ctx)
	for _, w := range p.work {
		w.count(false)
		p.resume(ctx, w)
	}
	workflow.Go(ctx, p.withdrawClosed)
	workflow.Go(ctx, p.expireAnnouncements)
	workflow.Go(ctx, p.removeObstacles)
	workflow.Go(ctx, p.searchAgain)
	workflow.Go(ctx, p.linger)
	for {
		_ = workflow.Await(ctx, func() bool { return p.inbox.Len() > 0 || p.changed || p.next(ctx) != nil })
		p.changed = false
		p.receive(ctx)
		p.startWork(ctx)
		workflow.SetCurrentDetails(ctx, p.page())
		// An answer whose arrival is not recorded would be given twice: the work would be done again.
		// A history with a panic is left behind: a build without it could not replay it.
		if p.inbox.Len() == 0 && p.answering == 0 && (workflow.GetInfo(ctx).GetContinueAsNewSuggested() || p.panicked) {
			return workflow.NewContinueAsNewError(ctx, run.PoolsWorkflow, p.carried())
		}
	}
}

func newPools(ctx workflow.Context, codec operators.Codec, state run.PoolsState) *poolsRun {
	p := &poolsRun{
		operators: codec, waiting: newQueue(), announced: state.Announced, rebuilt: state.Rebuilt, nextSearch: state.NextSearch,
		inbox: workflow.GetSignalChannel(ctx, run.PoolsSignal), obstacles: map[string]string{},
	}
	p.work = regroup(state.Work)
	for _, request := range state.Waiting {
		p.waiting.add(request, time.Time{})
	}
	return p
}

// state returns the answer to run.PoolsQuery.
func (p *poolsRun) state() run.PoolsState {
	s := run.PoolsState{Rebuilt: p.rebuilt, NextSearch: p.nextSearch, Announced: p.announced, Waiting: p.waiting.requests()}
	for i := range s.Waiting {
		s.Waiting[i].Obstacle = p.obstacles[string(s.Waiting[i].Operator)]
	}
	for _, w := range p.work {
		for _, m := range w.members {
			s.Work = append(s.Work, m.Work)
		}
	}
	return s
}

// carried returns the input of the next workflow run: the state, without the waiting requests if
// they need more than maxCarried. The next run then finds them in the open runs, which still wait
// for an answer.
func (p *poolsRun) carried() run.PoolsState {
	s := p.state()
	text, err := json.Marshal(s.Waiting) //workflowcheck:ignore // the JSON of maps is sorted
	if err != nil || len(text) > maxCarried {
		s.Waiting, s.Rebuilt = nil, false
	}
	return s
}

// receive handles all messages in the inbox, in their order.
func (p *poolsRun) receive(ctx workflow.Context) {
	for {
		var m run.PoolsMessage
		if !p.inbox.ReceiveAsync(&m) {
			return
		}
		switch {
		case m.Request != nil:
			p.add(ctx, *m.Request)
		case m.Withdraw != nil:
			p.withdraw(ctx, *m.Withdraw)
		case m.Announce != nil:
			p.announce(ctx, *m.Announce)
		}
	}
}

// add enters a request into the queue, unless it is known. It withdraws those of the same task that
// the run sent before it was reset. A message can be late: which of the two runs is open, Temporal
// knows.
func (p *poolsRun) add(ctx workflow.Context, request run.Request) {
	p.fulfil(request)
	if p.waiting.has(request) || slices.ContainsFunc(p.work, func(w *poolWork) bool { return w.has(request) }) {
		return
	}
	arrived := workflow.Now(ctx)
	if others := p.ofOtherRuns(request); len(others) > 0 {
		arrived = time.Time{} // not fresh: it may be the one of the closed run
		workflow.Go(ctx, func(ctx workflow.Context) { p.withdrawClosedOf(ctx, others) })
	}
	p.waiting.add(request, arrived)
}

// ofOtherRuns returns the other runs of a date that have requested the same task. Their requests
// that wait are not fresh any more.
func (p *poolsRun) ofOtherRuns(request run.Request) (others []activities.Requester) {
	other := func(r run.Request) bool {
		return r.WorkflowID == request.WorkflowID && r.Task == request.Task && r.RunID != request.RunID
	}
	for _, w := range p.work {
		for _, m := range w.members {
			if other(m.Request) {
				others = append(others, activities.Requester{WorkflowID: m.WorkflowID, RunID: m.RunID})
			}
		}
	}
	for _, w := range p.waiting.of(request.WorkflowID) {
		if other(w.Request) {
			w.arrived = time.Time{}
			others = append(others, activities.Requester{WorkflowID: w.WorkflowID, RunID: w.RunID})
		}
	}
	return others
}

// withdraw removes the requests that wait, and cancels those at work. Each of them is answered.
func (p *poolsRun) withdraw(ctx workflow.Context, w run.Withdrawal) {
	if w.Task == "" {
		p.announced = slices.DeleteFunc(p.announced, func(a run.Announcement) bool {
			return a.WorkflowID == w.WorkflowID && (w.RunID == "" || w.RunID == a.RunID)
		})
	}
	for _, work := range p.work {
		for _, m := range work.members {
			if w.Covers(m.Request) {
				p.withdrawMember(ctx, work, m)
			}
		}
	}
	for _, request := range p.waiting.of(w.WorkflowID) {
		if w.Covers(request.Request) {
			p.waiting.remove(request)
			p.forget(request.Request)
			p.answerCancelled(ctx, request.Request)
		}
	}
}

// answerCancelled answers a request that is withdrawn, in a coroutine of its own.
func (p *poolsRun) answerCancelled(ctx workflow.Context, request run.Request) {
	p.answering++ // before this pass can continue as new: nothing else remembers the request
	workflow.Go(ctx, func(ctx workflow.Context) {
		p.answering--
		p.answer(ctx, activities.AnswerRequestInput{Request: request, Cancelled: true})
	})
}

// slots returns how many slots the pool of a request has. Runs of different builds may know
// different numbers: each keeps what it was promised.
func (p *poolsRun) slots(request run.Request) int {
	n := request.Slots
	for _, w := range p.work {
		if w.first().Pool == request.Pool && !w.first().Counting {
			n = min(n, w.first().Slots)
		}
	}
	return n
}

// atWork counts the slots of a pool that are taken.
func (p *poolsRun) atWork(pool string) int {
	n := 0
	for _, w := range p.work {
		if w.first().Pool == pool && !w.first().Counting {
			n++
		}
	}
	return n
}

// startWork starts the requests that can start.
func (p *poolsRun) startWork(ctx workflow.Context) {
	for group := p.next(ctx); group != nil; group = p.next(ctx) {
		if p.obstacle(ctx, group[0].Request) != "" {
			continue
		}
		fresh := true
		for _, request := range group {
			p.waiting.remove(request)
			fresh = fresh && workflow.Now(ctx).Sub(request.arrived) < freshRequest
		}
		w := newWork(group, workflow.Now(ctx))
		p.work = append(p.work, w)
		p.start(ctx, w, fresh)
	}
}
