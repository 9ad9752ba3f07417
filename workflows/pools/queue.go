package pools

import (
	"cmp"
	"slices"
	"time"

	"github.com/pinflow/pinflow/internal/run"
)

// waitingRequest is a request with the time of its arrival.
type waitingRequest struct {
	run.Request
	arrived time.Time
	told    string // the obstacle that the run knows of
	number  int    // in the order of arrival
	// jobRun is the Databricks run that was at work for the request when its Pools workflow ended.
	// The requests of one run go together again, so that it is rejoined.
	jobRun int64
}

// before orders requests: by priority, then by the time of the request, then by arrival.
func (w *waitingRequest) before(other *waitingRequest) int {
	return cmp.Or(cmp.Compare(w.Priority, other.Priority), w.Requested.Compare(other.Requested), cmp.Compare(w.number, other.number))
}

// queue holds the requests that wait, of all pools. A backfill of many dates sends tens of
// thousands: what happens with each message must not pass over all of them.
type queue struct {
	pools   []*poolQueue // those in which a request waits
	byRun   map[string][]*waitingRequest
	size    int
	arrived int
}

// poolQueue holds the waiting requests of one pool in their order.
type poolQueue struct {
	name    string
	waiting []*waitingRequest
}

func newQueue() *queue { return &queue{byRun: map[string][]*waitingRequest{}} }

// add enters a request.
func (q *queue) add(request run.Request, arrived time.Time) {
	q.arrived++
	w := &waitingRequest{Request: request, arrived: arrived, number: q.arrived}
	pool := q.pool(w.Pool)
	if pool == nil {
		pool = &poolQueue{name: w.Pool}
		q.pools = append(q.pools, pool)
	}
	at, _ := slices.BinarySearchFunc(pool.waiting, w, (*waitingRequest).before)
	pool.waiting = slices.Insert(pool.waiting, at, w)
	q.byRun[w.WorkflowID] = append(q.byRun[w.WorkflowID], w)
	q.size++
}

// rejoin notes the Databricks run of a request that was at work, if it waits.
func (q *queue) rejoin(request run.OpenRequest) {
	for _, w := range q.byRun[request.WorkflowID] {
		if w.Same(request.Request) {
			w.jobRun = request.JobRunID
		}
	}
}

// with returns the requests of that operator.
func (q *queue) with(operator string) []*waitingRequest {
	return q.behind(map[string]string{operator: operator})
}

// behind returns the requests that have an obstacle.
func (q *queue) behind(obstacles map[string]string) (all []*waitingRequest) {
	for _, p := range q.pools {
		for _, w := range p.waiting {
			if _, hindered := obstacles[string(w.Operator)]; hindered {
				all = append(all, w)
			}
		}
	}
	return all
}

// pool returns the queue of a pool, or nil if no request waits in it.
func (q *queue) pool(name string) *poolQueue {
	for _, p := range q.pools {
		if p.name == name {
			return p
		}
	}
	return nil
}

// remove removes a request that waits.
func (q *queue) remove(w *waitingRequest) {
	same := func(other *waitingRequest) bool { return other == w }
	pool := q.pool(w.Pool)
	at, _ := slices.BinarySearchFunc(pool.waiting, w, (*waitingRequest).before)
	if pool.waiting = slices.Delete(pool.waiting, at, at+1); len(pool.waiting) == 0 {
		q.pools = slices.DeleteFunc(q.pools, func(other *poolQueue) bool { return other == pool })
	}
	if q.byRun[w.WorkflowID] = slices.DeleteFunc(q.byRun[w.WorkflowID], same); len(q.byRun[w.WorkflowID]) == 0 {
		delete(q.byRun, w.WorkflowID)
	}
	q.size--
}

// of returns the waiting requests of the runs with that workflow id, in the order of arrival.
func (q *queue) of(workflowID string) []*waitingRequest { return slices.Clone(q.byRun[workflowID]) }

// has reports whether a request of the same try waits.
func (q *queue) has(request run.Request) bool {
	return slices.ContainsFunc(q.byRun[request.WorkflowID], func(w *waitingRequest) bool { return w.Same(request) })
}

// requests returns all requests, pool after pool, each in its order.
func (q *queue) requests() (all run.Packed[run.Request]) {
	for _, p := range q.pools {
		for _, w := range p.waiting {
			all = append(all, w.Request)
		}
	}
	return all
}
