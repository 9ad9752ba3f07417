package pools

import (
	"maps"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

// announcedFor returns the tasks for which a pool keeps slots, as its page shows them.
func (p *poolsRun) announcedFor(pool string) (tasks []string) {
	for _, a := range p.announced {
		all := slices.Sorted(maps.Keys(a.Pools)) //workflowcheck:ignore // sorted
		for _, task := range all {
			if a.Pools[task] == pool {
				tasks = append(tasks, taskOf(a.DAG, a.Date, task, 0))
			}
		}
	}
	return tasks
}

// announce keeps slots for the tasks of a run, in place of an earlier announcement of the same
// date.
func (p *poolsRun) announce(ctx workflow.Context, a run.Announcement) {
	p.announced = slices.DeleteFunc(p.announced, func(other run.Announcement) bool { return other.WorkflowID == a.WorkflowID })
	a.Until = workflow.Now(ctx).Add(announcementTime)
	p.announced = append(p.announced, a)
}

// fulfil removes a task from the announcement of its run, because its request has come.
func (p *poolsRun) fulfil(request run.Request) {
	for _, a := range p.announced {
		if a.WorkflowID == request.WorkflowID && a.RunID == request.RunID {
			delete(a.Pools, request.Task)
		}
	}
	p.announced = slices.DeleteFunc(p.announced, func(a run.Announcement) bool { return len(a.Pools) == 0 })
}

// announcedBefore counts the slots of the request's pool that are kept for runs of higher priority.
// That cannot deadlock: a run that has announced requests waits only for its own tasks, never for a
// run of lower priority.
func (p *poolsRun) announcedBefore(request run.Request) int {
	n := 0
	for _, a := range p.announced {
		if a.Priority >= request.Priority {
			continue
		}
		pools := slices.Sorted(maps.Values(a.Pools)) //workflowcheck:ignore // sorted
		for _, pool := range pools {
			if pool == request.Pool {
				n++
			}
		}
	}
	return n
}

// outranked reports whether a run of higher priority than that of the request has announced,
// requested or started work.
func (p *poolsRun) outranked(request run.Request) bool {
	return slices.ContainsFunc(p.announced, func(a run.Announcement) bool { return a.Priority < request.Priority }) ||
		slices.ContainsFunc(p.work, func(w *poolWork) bool { return w.first().Priority < request.Priority }) ||
		slices.ContainsFunc(p.waiting.pools, func(q *poolQueue) bool { return q.waiting[0].Priority < request.Priority })
}

// expireAnnouncements removes announcements whose requests did not come in time.
func (p *poolsRun) expireAnnouncements(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return len(p.announced) > 0 })
		_ = steps.Sleep(ctx, p.announced[0].Until.Sub(workflow.Now(ctx)), "expire announcements")
		now := workflow.Now(ctx)
		p.announced = slices.DeleteFunc(p.announced, func(a run.Announcement) bool { return !now.Before(a.Until) })
		p.changed = true
	}
}
