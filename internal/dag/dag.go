// Package dag is the table of tasks: its rows, trigger rules, validation and rendering. How a task
// is run is for package workflows; the table knows what an operator says of its effects.
package dag

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pinflow/pinflow/internal/run"
)

// DAG is a table of tasks, parents above their children.
type DAG []Task

// Task is one row of a DAG. The zero value of each field is its default. Open runs have recorded it
// as JSON, so that the name of a field is for ever.
type Task struct {
	// ID names the task, in lower-case letters, digits and underscores.
	ID string `json:"id"`
	// After holds the ids of the parents.
	After Tasks `json:"after,omitempty"`
	// TriggerRule is the rule over the states of the parents; all_success by default.
	TriggerRule TriggerRule `json:"triggerRule,omitempty"`
	// Tries is how often the task is started in one run; DefaultTries by default. It counts the
	// first start, so that Tries: 2 is Airflow's retries=1.
	Tries int `json:"tries,omitempty"`
	// RetryDelay is the time between two tries; DefaultRetryDelay by default.
	RetryDelay time.Duration `json:"retryDelay,omitempty"`
	// Timeout limits how long one try works, as Airflow's execution_timeout. The wait for a slot of
	// the pool does not count. No limit by default.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Pool is the pool of which a try holds a slot while it works; none by default.
	Pool string `json:"pool,omitempty"`
	// DependsOnPast starts the task only when it has succeeded, or was skipped, for the date
	// before.
	DependsOnPast bool `json:"dependsOnPast,omitempty"`
	// Expect is what the task requires of its own outcome; nothing by default.
	Expect Expect `json:"expect,omitzero"`
	// Do is what the task does.
	Do Operator `json:"-"`
}

// Operator is what a task does.
type Operator interface {
	// Effects returns what the task leaves behind, for validation and lineage.
	Effects() Effects
}

// Effects is what a task leaves behind.
type Effects struct {
	// Lands holds the kinds of record, as pin, whose topics the task lands.
	Lands []string
	// Cleans is the kind of record that the task cleans: its records can be counted, and those in
	// quarantine.
	Cleans string
	// Rebuilds holds the tables that the task replaces: their rows can be counted.
	Rebuilds []string
	// Together reports whether the task can do the work of several dates at once.
	Together bool
}

// Tasks holds the ids of tasks.
type Tasks []string

const (
	// DefaultTries is how often a task is started if its row does not say.
	DefaultTries = 2
	// DefaultRetryDelay is the time between two tries if the row does not say. It is short because
	// passing faults are retried inside a try; a second try is for work that ended badly, such as a
	// write that conflicted with another.
	DefaultRetryDelay = 10 * time.Second
)

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

// IDs returns the ids of all tasks, in the order of the table.
func (d DAG) IDs() Tasks {
	ids := make(Tasks, len(d))
	for i, t := range d {
		ids[i] = t.ID
	}
	return ids
}

// ancestors returns the tasks upstream of the given one. It also ends on a table with a cycle.
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

// From returns the given tasks and everything downstream of them, in the order of the table: the
// tasks of a rerun. The error names the ids that the DAG does not have.
func (d DAG) From(ids ...string) (Tasks, error) {
	var errs []error
	for _, id := range ids {
		if !d.has(id) {
			errs = append(errs, fmt.Errorf("no task %q in this DAG; its tasks are %s", id, strings.Join(d.IDs(), ", ")))
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

// Below returns the tasks downstream of the given one.
func (d DAG) Below(id string) Tasks {
	all, _ := d.From(id)
	return slices.DeleteFunc(all, func(other string) bool { return other == id })
}

// Maker returns the task that rebuilds the table.
func (d DAG) Maker(table string) (Task, bool) {
	for _, t := range d {
		if slices.Contains(t.Do.Effects().Rebuilds, table) {
			return t, true
		}
	}
	return Task{}, false
}

// Sources returns the tasks upstream of the given one, in the order of the table, and the kinds of
// record that they land.
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

// Tables returns the tables that the tasks rebuild, in the order of the table.
func (d DAG) Tables() []string {
	var tables []string
	for _, t := range d {
		tables = append(tables, t.Do.Effects().Rebuilds...)
	}
	return tables
}

// Cleaned returns the kinds of record that the tasks clean.
func (d DAG) Cleaned() []string {
	var kinds []string
	for _, t := range d {
		if kind := t.Do.Effects().Cleans; kind != "" {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// Kinds returns the kinds of record that the tasks land.
func (d DAG) Kinds() []string {
	var kinds []string
	for _, t := range d {
		for _, kind := range t.Do.Effects().Lands {
			if !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	return kinds
}

// Leaves returns the tasks without children: their states decide the state of the run.
func (d DAG) Leaves() Tasks {
	var ids Tasks
	for _, t := range d {
		if !slices.ContainsFunc(d, func(child Task) bool { return slices.Contains(child.After, t.ID) }) {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// MaxTries returns how often the task is started in one run.
func (t Task) MaxTries() int {
	if t.Tries == 0 {
		return DefaultTries
	}
	return t.Tries
}

// DelayBetweenTries returns the time between two tries.
func (t Task) DelayBetweenTries() time.Duration {
	if t.RetryDelay == 0 {
		return DefaultRetryDelay
	}
	return t.RetryDelay
}

// DependsOnPast reports whether a task of the DAG waits for the date before.
func (d DAG) DependsOnPast() bool {
	for _, t := range d {
		if t.DependsOnPast {
			return true
		}
	}
	return false
}

// CheckSkips returns an error if the outcome skips a task that is not a child of the given one.
func (d DAG) CheckSkips(task string, out run.Outcome) error {
	var children Tasks
	for _, t := range d {
		if slices.Contains(t.After, task) {
			children = append(children, t.ID)
		}
	}
	for _, id := range out.SkipChildren {
		if !slices.Contains(children, id) {
			return fmt.Errorf("task %s skips %q, which is not one of its children: %s", task, id, strings.Join(children, ", "))
		}
	}
	return nil
}
