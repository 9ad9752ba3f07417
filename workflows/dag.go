// Package workflows says what runs, and in which order: the DAG as a table, and the Temporal workflows that interpret it.
//
// Run interprets a DAG for one logical date, Range keeps a window of such runs going over many dates, and Pool lets at most N tasks
// write to one place at a time. How a step is done is in package activities, which this package knows by types and names only.
package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DAG is a table of tasks, parents above their children.
type DAG []Task

// Task is one row of a DAG. The zero value of each field is its default.
type Task struct {
	// ID names the task in the table, in the states of a run and in the names of Databricks runs. Small letters, digits and underscores.
	ID string
	// After are its parents.
	After Tasks
	// When is the trigger rule over the states of its parents; all_success by default.
	When Rule
	// Tries is how often the task may be started in one run; 2 by default.
	Tries int
	// Delay is the time between two tries; DefaultDelay by default.
	Delay time.Duration
	// Deadline is the longest time that one try may work, without the time in which it waits for a slot of its pool; none by default.
	Deadline time.Duration
	// Pool names the pool of which a try holds a slot while it works; none by default.
	Pool string
	// DependsOnPast lets the task start only when the same task of the date before has succeeded or was skipped.
	DependsOnPast bool
	// Expect is what the task demands of its own outcome; nothing by default.
	Expect Expect
	// Do is what the task does.
	Do Effector
}

// Effector is what the table knows of what a task does: package workflows runs it.
type Effector interface {
	// Effects say what the task leaves behind, for validation and lineage.
	Effects() Effects
}

// Effects are what a task leaves behind. The zero value is a task that leaves nothing others ask for.
type Effects struct {
	// Lands are the kinds of record that the task lands from their topics, as pin.
	Lands []string
	// Cleans is the kind of record that the task cleans; its valid and quarantined records can be counted.
	Cleans string
	// Rebuilds are the tables that each success of the task replaces; their rows can be counted.
	Rebuilds []string
}

// Tasks names tasks by their ids.
type Tasks []string

// Pool is a number of slots that tasks share over all runs of the namespace: at most so many of its tasks work at once.
type Pool struct {
	Name  string
	Slots int
}

const (
	// DefaultTries is how often a task may be started if its row does not say: once, and once more.
	DefaultTries = 2
	// DefaultDelay is the time between two tries if the row does not say. It is short because trouble with a service that passes
	// is met by retries inside a try; a second try is for work that ended badly, as a write that met another.
	DefaultDelay = 10 * time.Second
)

// State is where a task, or a run, stands. The names are Airflow's.
type State string

// The states of a task. A run is running, held, success or failed.
const (
	// None is the state of a task whose parents do not yet decide about it.
	None State = "none"
	// Queued is the state of a task that waits for a slot of its pool.
	Queued State = "queued"
	// Running is the state of a task with a try at work.
	Running State = "running"
	// UpForRetry is the state of a task between two tries.
	UpForRetry State = "up_for_retry"
	// Held is the state of a task that has used up its tries and waits for an operator's decision.
	Held State = "held"
	// Success is final: the task did its work.
	Success State = "success"
	// Failed is final: the task used up its tries, or was cancelled.
	Failed State = "failed"
	// UpstreamFailed is final: the task could not run because of its parents.
	UpstreamFailed State = "upstream_failed"
	// Skipped is final: the task was not to run.
	Skipped State = "skipped"
)

// Final says that the state does not change any more.
func (s State) Final() bool {
	return s == Success || s == Failed || s == UpstreamFailed || s == Skipped
}

func (d DAG) has(id string) bool {
	return slices.ContainsFunc(d, func(t Task) bool { return t.ID == id })
}

// Task returns the row of that id.
func (d DAG) Task(id string) (Task, bool) {
	if i := slices.IndexFunc(d, func(t Task) bool { return t.ID == id }); i >= 0 {
		return d[i], true
	}
	return Task{}, false
}

// IDs are the ids of all tasks, in the order of the table.
func (d DAG) IDs() Tasks {
	ids := make(Tasks, len(d))
	for i, t := range d {
		ids[i] = t.ID
	}
	return ids
}

// ancestors are all tasks that the given one waits for, also through others. It ends on a table with a cycle, too.
func (d DAG) ancestors(id string) Tasks {
	var found Tasks
	next := Tasks{id}
	for len(next) > 0 {
		t, _ := d.Task(next[0])
		next = next[1:]
		for _, parent := range t.After {
			if !slices.Contains(found, parent) {
				found, next = append(found, parent), append(next, parent)
			}
		}
	}
	return found
}

// From returns the given tasks and all that come after them, in the order of the table: what a rerun from there runs again.
// The error names the tasks that the DAG does not have.
func (d DAG) From(ids ...string) (Tasks, error) {
	var errs []error
	for _, id := range ids {
		if !d.has(id) {
			errs = append(errs, fmt.Errorf("no task %q in this DAG: its tasks are %s", id, strings.Join(d.IDs(), ", ")))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var again Tasks
	for _, t := range d {
		if slices.Contains(ids, t.ID) || slices.ContainsFunc(t.After, func(p string) bool { return slices.Contains(again, p) }) {
			again = append(again, t.ID)
		}
	}
	return again, nil
}

// below are all tasks that wait for the given one, also through others.
func (d DAG) below(id string) Tasks {
	all, _ := d.From(id)
	return slices.DeleteFunc(all, func(other string) bool { return other == id })
}

// Maker returns the task whose notebook makes the table anew.
func (d DAG) Maker(table string) (Task, bool) {
	for _, t := range d {
		if slices.Contains(t.Do.Effects().Rebuilds, table) {
			return t, true
		}
	}
	return Task{}, false
}

// Sources are the tasks that the given one got its data from, in the order of the table, and the topics that they landed.
func (d DAG) Sources(id string) (tasks, topics Tasks) {
	above := d.ancestors(id)
	for _, t := range d {
		if !slices.Contains(above, t.ID) {
			continue
		}
		tasks = append(tasks, t.ID)
		topics = append(topics, t.Do.Effects().Lands...)
	}
	return tasks, topics
}

// Leaves are the tasks that no other waits for: their states decide the run's.
func (d DAG) Leaves() Tasks {
	var ids Tasks
	for _, t := range d {
		if !slices.ContainsFunc(d, func(child Task) bool { return slices.Contains(child.After, t.ID) }) {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// TreeRow is one line of a DAG written as a tree.
type TreeRow struct {
	// ID is the task's.
	ID string
	// Depth is how many rows it stands below a root.
	Depth int
	// Last says that no sibling follows in the tree.
	Last bool
	// After are all parents of a task that has more than the one it stands under.
	After Tasks
}

// Tree returns the DAG as a tree in which each task stands once, under the last of its parents, depth first.
func (d DAG) Tree() []TreeRow {
	var rows []TreeRow
	var add func(parent string, depth int)
	add = func(parent string, depth int) {
		first := len(rows)
		last := -1
		for _, t := range d {
			under := ""
			if len(t.After) > 0 {
				under = d.lowest(t.After)
			}
			if under != parent {
				continue
			}
			row := TreeRow{ID: t.ID, Depth: depth}
			if len(t.After) > 1 {
				row.After = t.After
			}
			last = len(rows)
			rows = append(rows, row)
			add(t.ID, depth+1)
		}
		if last >= first {
			rows[last].Last = true
		}
	}
	add("", 0)
	return rows
}

// lowest is the one of the tasks that stands lowest in the table.
func (d DAG) lowest(ids Tasks) string {
	lowest := ids[0]
	for _, t := range d {
		if slices.Contains(ids, t.ID) {
			lowest = t.ID
		}
	}
	return lowest
}

func (t Task) tries() int {
	if t.Tries == 0 {
		return DefaultTries
	}
	return t.Tries
}

func (t Task) delay() time.Duration {
	if t.Delay == 0 {
		return DefaultDelay
	}
	return t.Delay
}
