package pools

import (
	"cmp"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

const (
	// quiet is how long a group that is not full waits for another date: the dates of a backfill that
	// have done one task together request the next one within about a second. maxQuiet limits the
	// wait. Both are small beside the start of a Databricks run, which takes 20 s at least.
	quiet    = time.Second
	maxQuiet = 10 * time.Second
	// maxGroupBytes limits what has landed of the dates of a group, so that a group of large dates
	// takes as long as a single one, and what a failure costs stays small.
	maxGroupBytes = 8 << 30
	// maxGroupSpan limits the days from the first to the last date of a group, in multiples of its
	// size: a cleaning notebook also rewrites the dates between them.
	maxGroupSpan = 2
)

// next returns the requests that can start now and go together, or nil. In each pool the requests
// start in their order; those that go with the first one overtake the others.
func (p *poolsRun) next(ctx workflow.Context) (next []*waitingRequest) {
	for _, pool := range p.waiting.pools {
		first := p.first(pool)
		if first == nil || p.atWork(pool.name)+p.announcedBefore(first.Request) >= p.slots(first.Request) {
			continue
		}
		if next != nil && first.before(next[0]) >= 0 {
			continue
		}
		if group := pool.together(first, p.isAtWork); p.ready(ctx, group) {
			next = group
		}
	}
	return next
}

// first returns the first request of a pool that may start, or nil.
func (p *poolsRun) first(pool *poolQueue) *waitingRequest {
	for _, w := range pool.waiting {
		if (len(p.obstacles) == 0 || p.obstacles[string(w.Operator)] == "") && !p.isAtWork(w.Request) {
			return w
		}
	}
	return nil
}

// isAtWork reports whether a group still works for the date and task of a request: for an earlier
// request of it, which was withdrawn, or whose run was reset. Starting beside it would cancel the
// Databricks run of the whole group.
func (p *poolsRun) isAtWork(request run.Request) bool {
	return slices.ContainsFunc(p.work, func(w *poolWork) bool {
		return len(w.members) > 1 && slices.ContainsFunc(w.members, func(m *member) bool {
			return m.WorkflowID == request.WorkflowID && m.Task == request.Task
		})
	})
}

// together returns the request and those that go with it, in the order of their dates, which is also
// their order in the parameters of the notebook.
func (q *poolQueue) together(first *waitingRequest, isAtWork func(run.Request) bool) []*waitingRequest {
	group, limit, size := []*waitingRequest{first}, first.Together, first.Bytes
	from, to := first.Date, first.Date
	for _, w := range q.waiting {
		if limit <= len(group) {
			break
		}
		if w == first || !w.GoesWith(first.Request) || w.jobRun != first.jobRun || isAtWork(w.Request) {
			continue
		}
		if size+w.Bytes > maxGroupBytes || w.Together <= len(group) || min(from, w.Date).Days(max(to, w.Date)) > maxGroupSpan*limit {
			continue
		}
		from, to = min(from, w.Date), max(to, w.Date)
		limit = min(limit, w.Together)
		size += w.Bytes
		group = append(group, w)
	}
	slices.SortFunc(group, func(a, b *waitingRequest) int { return cmp.Compare(a.Date, b.Date) })
	return group
}

// ready reports whether a group starts now. One that is not full for any of its dates waits for
// companions, which are about to come if some have come just now, or if another group is being
// answered. p.linger wakes the workflow.
func (p *poolsRun) ready(ctx workflow.Context, group []*waitingRequest) bool {
	full := func(w *waitingRequest) bool { return w.Together <= len(group) }
	if group[0].jobRun != 0 || slices.ContainsFunc(group, full) {
		return true
	}
	var earliest, latest time.Time
	for _, w := range group {
		if w.arrived.IsZero() { // it has waited before this workflow
			return true
		}
		if earliest.IsZero() || w.arrived.Before(earliest) {
			earliest = w.arrived
		}
		if w.arrived.After(latest) {
			latest = w.arrived
		}
	}
	if p.answered.After(latest) {
		latest = p.answered
	}
	until, end := latest.Add(quiet), earliest.Add(maxQuiet)
	if p.groupsAnswering > 0 || end.Before(until) {
		until = end
	}
	if !workflow.Now(ctx).Before(until) {
		return true
	}
	if p.lingers.IsZero() || until.Before(p.lingers) {
		p.lingers = until
	}
	return false
}

// linger looks again at groups that waited for companions.
func (p *poolsRun) linger(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return !p.lingers.IsZero() })
		at := p.lingers
		wait := workflow.AwaitOptions{Timeout: at.Sub(workflow.Now(ctx)), TimerOptions: workflow.TimerOptions{Summary: "wait for dates that go together"}}
		if earlier, _ := workflow.AwaitWithOptions(ctx, wait, func() bool { return p.lingers != at }); earlier {
			continue
		}
		p.lingers, p.changed = time.Time{}, true
	}
}

// poolWork is what is at work in a slot: one request, or several that go together. The members stay
// until the work has ended, because they are the identity of its Databricks run.
type poolWork struct {
	members []*member // in the order of their dates
	cancel  workflow.CancelFunc
}

// member is a request at work.
type member struct{ run.Work }

func newWork(group []*waitingRequest, started time.Time) *poolWork {
	w := &poolWork{}
	name := ""
	if len(group) > 1 {
		name = group[0].WorkflowID
	}
	for _, request := range group {
		w.members = append(w.members, &member{run.Work{Request: request.Request, Started: started, Group: name}})
	}
	return w
}

// regroup returns the work that was in progress when the workflow continued as new.
func regroup(work []run.Work) (all []*poolWork) {
	for _, m := range work {
		at := slices.IndexFunc(all, func(w *poolWork) bool {
			first := w.first()
			return m.Group != "" && m.Group == first.Group && m.DAG == first.DAG && m.Task == first.Task && m.Started.Equal(first.Started)
		})
		if at < 0 {
			all = append(all, &poolWork{members: []*member{{m}}})
			continue
		}
		all[at].members = append(all[at].members, &member{m})
	}
	return all
}

// first returns the member with the earliest date. What members have in common is read from it.
func (w *poolWork) first() *member { return w.members[0] }

func (w *poolWork) has(request run.Request) bool {
	return slices.ContainsFunc(w.members, func(m *member) bool { return m.Same(request) })
}

// together returns the dates of the work, if they are more than one.
func (w *poolWork) together() (all []dates.Date) {
	if len(w.members) == 1 {
		return nil
	}
	for _, m := range w.members {
		all = append(all, m.Date)
	}
	return all
}

// count notes whether the work only counts rows.
func (w *poolWork) count(counting bool) {
	for _, m := range w.members {
		m.Counting = counting
	}
}

// isWithdrawn reports whether no member wants the work any more.
func (w *poolWork) isWithdrawn() bool {
	return !slices.ContainsFunc(w.members, func(m *member) bool { return !m.Withdrawn })
}

// withdrawMember withdraws a request at work. If it is the last one, the work is cancelled, and
// answered when it has ended. Otherwise the work goes on for the others, and the request is answered
// at once.
func (p *poolsRun) withdrawMember(ctx workflow.Context, w *poolWork, m *member) {
	m.Withdrawn = true
	switch {
	case !w.isWithdrawn():
		if !m.Answered {
			m.Answered = true
			p.answerCancelled(ctx, m.Request)
		}
	case w.cancel != nil:
		w.cancel()
	}
}
