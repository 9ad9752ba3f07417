package run

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// Request asks the Pools workflow to do the work of one try of a task. WorkflowID, RunID, Task and
// Try are its identity: a run that was reset has another run id, so that its requests are new ones.
type Request struct {
	WorkflowID string     `json:"workflowId"`
	RunID      string     `json:"runId"`
	DAG        string     `json:"dag"`
	Date       dates.Date `json:"date"`
	Task       string     `json:"task"`
	Try        int        `json:"try"`
	// ActivityID is the activity of the run that ends with the answer.
	ActivityID string `json:"activityId"`
	Pool       string `json:"pool"`
	// Slots is how many tries of the pool work at a time.
	Slots int `json:"slots"`
	// Priority orders the waiting requests: smaller numbers first, as Temporal's priority keys;
	// equal numbers by Requested, and then in the order of arrival.
	Priority int `json:"priority"`
	// Requested is when the run sent the request first. It decides among requests of one priority.
	Requested time.Time `json:"requested,omitzero"`
	// Operator is what to do, by the name under which operators are registered.
	Operator json.RawMessage `json:"operator,omitempty"`
	// Params are the parameters of the run, Prepared is the outcome of the work before the request.
	Params   map[string]string `json:"params,omitempty"`
	Prepared Outcome           `json:"prepared,omitzero"`
	// Timeout limits the work, of which Worked has passed; zero is no limit. The wait in the pool
	// does not count.
	Timeout time.Duration `json:"timeout,omitempty"`
	Worked  time.Duration `json:"worked,omitempty"`
	// Together is how many requests may go together: those that differ only in their dates are then
	// one piece of work, as a database commits many transactions with one write. 0 and 1 are none
	// but this. Bytes is the size of what has landed of the date; it limits a group, too.
	Together int   `json:"together,omitempty"`
	Bytes    int64 `json:"bytes,omitempty"`
	// Obstacle is why the work cannot start although a slot is free: this build of the workers does
	// not know the operator. The Pools workflow sets it.
	Obstacle string `json:"obstacle,omitempty"`
	// Counts requires the counts of the rows that the work leaves. Otherwise they only inform.
	Counts bool `json:"counts,omitempty"`
}

// Same reports whether both requests are of the same try.
func (r Request) Same(other Request) bool {
	return r.WorkflowID == other.WorkflowID && r.RunID == other.RunID && r.Task == other.Task && r.Try == other.Try
}

// GoesWith reports whether both requests can be one piece of work. Parameters that differ never go
// together, nor do priorities: a daily run must not wait for the dates of a backfill.
func (r Request) GoesWith(other Request) bool {
	return r.Together > 1 && other.Together > 1 && r.WorkflowID != other.WorkflowID &&
		r.DAG == other.DAG && r.Task == other.Task && r.Pool == other.Pool && r.Slots == other.Slots && r.Priority == other.Priority &&
		r.Timeout == other.Timeout && r.Counts == other.Counts && bytes.Equal(r.Operator, other.Operator) &&
		maps.Equal(r.Params, other.Params) //workflowcheck:ignore // the order of comparing does not matter
}

// OpenRequest is a request without an answer yet. It is an answer to RequestsQuery.
type OpenRequest struct {
	Request
	// Started reports whether its work has started, JobRunID is its Databricks run, if it has one.
	Started  bool  `json:"started,omitempty"`
	JobRunID int64 `json:"jobRunId,omitempty"`
	// Withdrawn reports whether the run has withdrawn it, and waits for the end of its work.
	Withdrawn bool `json:"withdrawn,omitempty"`
}

// Announcement is the news that a run will request work soon: pools keep a slot for each of its
// tasks from requests of lower priority until then.
type Announcement struct {
	WorkflowID string     `json:"workflowId"`
	RunID      string     `json:"runId"`
	DAG        string     `json:"dag"`
	Date       dates.Date `json:"date"`
	Priority   int        `json:"priority"`
	// Pools maps the tasks to their pools.
	Pools map[string]string `json:"pools"`
	// Until is when the announcement lapses. The Pools workflow sets it.
	Until time.Time `json:"until,omitzero"`
}

// Withdrawal takes back the requests of a run: those of a task, or all and its announcement if Task
// is empty. Work in progress is cancelled.
type Withdrawal struct {
	WorkflowID string `json:"workflowId"`
	// RunID is empty for all runs of the workflow id.
	RunID string `json:"runId,omitempty"`
	Task  string `json:"task,omitempty"`
}

// Covers reports whether the withdrawal takes back the request.
func (w Withdrawal) Covers(r Request) bool {
	return w.WorkflowID == r.WorkflowID && (w.RunID == "" || w.RunID == r.RunID) && (w.Task == "" || w.Task == r.Task)
}

// PoolsMessage is what runs send to the Pools workflow: one of its fields is set.
type PoolsMessage struct {
	Request  *Request      `json:"request,omitempty"`
	Announce *Announcement `json:"announce,omitempty"`
	Withdraw *Withdrawal   `json:"withdraw,omitempty"`
}

// Work is a request that is at work.
type Work struct {
	Request
	// Started is when the work got its slot.
	Started time.Time `json:"started"`
	// Link is the page of the Databricks run, JobRunID its id; both are unset until it has started.
	Link     string `json:"link,omitempty"`
	JobRunID int64  `json:"jobRunId,omitempty"`
	// Reported reports whether the run knows that its work has started.
	Reported bool `json:"reported,omitempty"`
	// Withdrawn reports whether the work is being cancelled.
	Withdrawn bool `json:"withdrawn,omitempty"`
	// Counting reports whether the work itself has ended and its slot is free: rows are counted.
	Counting bool `json:"counting,omitempty"`
	// Group is what the requests that go together have in common: the workflow id of the first. It
	// is empty for a request that is alone.
	Group string `json:"group,omitempty"`
	// Answered reports whether a withdrawn request has its answer, while the work continues for the
	// others of its group.
	Answered bool `json:"answered,omitempty"`
}

// WorkStarted is the signal with which the Pools workflow reports to a run that the work of a try
// has started.
type WorkStarted struct {
	RunID    string    `json:"runId"`
	Task     string    `json:"task"`
	Try      int       `json:"try"`
	Started  time.Time `json:"started"`
	Link     string    `json:"link,omitempty"`
	JobRunID int64     `json:"jobRunId,omitempty"`
	// Together holds all dates of the work, if they are more than one.
	Together []dates.Date `json:"together,omitempty"`
	// Obstacle is why the work has not started, although a slot is free.
	Obstacle string `json:"obstacle,omitempty"`
}

// WorkDone is the answer to a request.
type WorkDone struct {
	Started time.Time `json:"started"`
	Outcome Outcome   `json:"outcome"`
	// NotCounted is why rows were not counted although the task needs their number; NotCountedType
	// is the type of that error.
	NotCounted     string `json:"notCounted,omitempty"`
	NotCountedType string `json:"notCountedType,omitempty"`
}

// PoolsState is the state of all pools: the input of the Pools workflow, and the answer to
// PoolsQuery.
type PoolsState struct {
	// Rebuilt reports whether the state has the requests of all open runs. The workflow looks for
	// them when it is started by anything but its own predecessor, which may have been terminated.
	Rebuilt bool `json:"rebuilt"`
	// NextSearch is when it looks again for requests that it does not know.
	NextSearch time.Time    `json:"nextSearch,omitzero"`
	Work       Packed[Work] `json:"work,omitempty"`
	// Waiting holds the requests in the order in which they start in each pool.
	Waiting   Packed[Request] `json:"waiting,omitempty"`
	Announced []Announcement  `json:"announced,omitempty"`
}

// Pool is the part of the state that one pool has.
type Pool struct {
	Name string `json:"name"`
	// Slots is that of the latest request; 0 if there is none. Taken is how many of them are at
	// work: requests that go together take one.
	Slots   int       `json:"slots"`
	Taken   int       `json:"taken"`
	Work    []Work    `json:"work,omitempty"`
	Waiting []Request `json:"waiting,omitempty"`
	// Announced holds the tasks for which slots are kept.
	Announced []AnnouncedTask `json:"announced,omitempty"`
}

// AnnouncedTask is a task of a run that will request work of a pool soon.
type AnnouncedTask struct {
	DAG  string     `json:"dag"`
	Date dates.Date `json:"date"`
	Task string     `json:"task"`
}

// Pool returns the part of the state that the pool with that name has.
func (s PoolsState) Pool(name string) Pool {
	p := Pool{Name: name}
	groups := map[string]bool{}
	for _, w := range s.Work {
		if w.Pool != name || w.Counting {
			continue
		}
		group := w.DAG + " " + w.Task + " " + w.Group
		if w.Group == "" || !groups[group] {
			p.Taken, groups[group] = p.Taken+1, true
		}
		if !w.Answered {
			p.Work, p.Slots = append(p.Work, w), w.Slots
		}
	}
	for _, r := range s.Waiting {
		if r.Pool == name {
			p.Waiting, p.Slots = append(p.Waiting, r), r.Slots
		}
	}
	for _, a := range s.Announced {
		for task, pool := range a.Pools {
			if pool == name {
				p.Announced = append(p.Announced, AnnouncedTask{DAG: a.DAG, Date: a.Date, Task: task})
			}
		}
	}
	slices.SortFunc(p.Announced, func(a, b AnnouncedTask) int {
		return cmp.Or(cmp.Compare(a.Date, b.Date), cmp.Compare(a.DAG, b.DAG), cmp.Compare(a.Task, b.Task))
	})
	return p
}
