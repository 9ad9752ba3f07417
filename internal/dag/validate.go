package dag

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/internal/run"
)

// Forms of names. They become part of names and links in other systems, which differ in what else
// they allow.
var (
	taskID  = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	dagName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	// A pool has the name of a task, of a DAG, or a mix. Without a dot its workflow id is never that
	// of something else.
	poolName = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
)

// Validate returns all mistakes in the DAG, each with the names that it is about. The pools are
// those that exist.
func (d DAG) Validate(pools []Pool) error {
	var found mistakes
	if len(d) == 0 {
		found.add("the DAG has no tasks")
	}
	for i, t := range d {
		d.checkParents(&found, i)
		d[i].check(&found, pools)
		if d[:i].has(t.ID) {
			found.add("task %q is defined twice", t.ID)
		}
	}
	if len(found) == 0 { // a table with a cycle or an unknown rule has no endings
		d.checkRulesFire(&found)
	}
	return errors.Join(found...)
}

// mistakes collects mistakes in the order in which they are found.
type mistakes []error

func (m *mistakes) add(format string, args ...any) { *m = append(*m, fmt.Errorf(format, args...)) }

// checkParents finds mistakes in the parents of the task in that row.
func (d DAG) checkParents(found *mistakes, row int) {
	t, above := d[row], d[:row]
	for j, parent := range t.After {
		switch {
		case slices.Contains(t.After[:j], parent):
			found.add("task %q names its parent %q twice", t.ID, parent)
		case !d.has(parent):
			found.add("task %q: its parent %q is not a task of this DAG", t.ID, parent)
		case above.has(parent):
		case slices.Contains(d.ancestors(parent), t.ID) || parent == t.ID:
			found.add("task %q and its parent %q wait for each other: a cycle", t.ID, parent)
		default:
			found.add("task %q: its parent %q is below it in the table; move the parent above it", t.ID, parent)
		}
	}
}

// check finds mistakes in the rest of a row.
func (t Task) check(found *mistakes, pools []Pool) {
	if !taskID.MatchString(t.ID) {
		found.add("task %q: an id has lower-case letters, digits and underscores, and starts with a letter", t.ID)
	}
	switch {
	case !t.TriggerRule.known():
		found.add("task %q: unknown trigger rule %q; the rules are %s", t.ID, t.TriggerRule, strings.Join(ruleNames(), ", "))
	case len(t.After) == 0 && t.TriggerRule.Name() != AllSuccess && t.TriggerRule != Always:
		found.add("task %q: trigger rule %s has no effect without parents", t.ID, t.TriggerRule)
	}
	if t.Tries < 0 || t.RetryDelay < 0 || t.Timeout < 0 {
		found.add("task %q: Tries, RetryDelay and Timeout must not be negative", t.ID)
	}
	if t.Pool != "" && !slices.ContainsFunc(pools, func(p Pool) bool { return p.Name == t.Pool && p.Slots > 0 }) {
		found.add("task %q: no pool %q with slots", t.ID, t.Pool)
	}
	if t.Do == nil {
		found.add("task %q has no operator: set Do", t.ID)
	}
	t.Expect.check(found, t)
}

// maxEndings limits how many combinations of final states are examined. A DAG with more is
// accepted: it is too wide for its rules to be judged.
const maxEndings = 100_000

// checkRulesFire finds tasks that can never run, however the tasks above them end. It goes down the
// table with all combinations of states of the tasks that still have children below: each task that
// runs can succeed, fail or be skipped, by its operator or by a person.
func (d DAG) checkRulesFire(found *mistakes) {
	endings := map[string]ending{"": {}}
	for i, t := range d {
		waiting := d[i+1:].waiting()
		next := map[string]ending{}
		fires := false
		for _, e := range endings {
			decided := t.TriggerRule.Decide(e.of(t.After))
			fires = fires || decided == run.Running
			for _, state := range outcomes(decided) {
				grown := e.with(waiting, t.ID, state)
				next[grown.key()] = grown
			}
		}
		if !fires {
			found.add("task %q can never run: its trigger rule %s never holds, however %s end", t.ID, t.TriggerRule.Name(), strings.Join(t.After, " and "))
		}
		if endings = next; len(endings) > maxEndings {
			return
		}
	}
}

// outcomes returns the final states of a task for which its trigger rule decided so.
func outcomes(decided run.State) []run.State {
	if decided == run.Running {
		return []run.State{run.Success, run.Failed, run.Skipped}
	}
	return []run.State{decided}
}

// waiting returns, by the id of each task, its children in the table.
func (d DAG) waiting() map[string]string {
	children := map[string]string{}
	for _, t := range d {
		for _, parent := range t.After {
			children[parent] += t.ID + " "
		}
	}
	return children
}

// ending is one combination of final states, by the ids of the tasks.
type ending map[string]run.State

func (e ending) of(ids Tasks) []run.State {
	states := make([]run.State, len(ids))
	for i, id := range ids {
		states[i] = e[id]
	}
	return states
}

func (e ending) ids() []string { return slices.Sorted(maps.Keys(e)) }

// with returns the ending with one more task, less the tasks that have no children left. Rules
// count states, so that it does not matter which of the tasks with the same children has which
// state: the states are sorted, and ten siblings have 66 endings instead of 59,049.
func (e ending) with(waiting map[string]string, id string, state run.State) ending {
	alike := map[string][]string{} // by their children
	states := map[string][]run.State{}
	add := func(id string, state run.State) {
		if who := waiting[id]; who != "" {
			alike[who], states[who] = append(alike[who], id), append(states[who], state)
		}
	}
	for _, known := range e.ids() {
		add(known, e[known])
	}
	add(id, state)
	grown := ending{}
	for _, who := range slices.Sorted(maps.Keys(alike)) {
		slices.Sort(alike[who])
		slices.Sort(states[who])
		for i, id := range alike[who] {
			grown[id] = states[who][i]
		}
	}
	return grown
}

// key identifies an ending.
func (e ending) key() string {
	var key strings.Builder
	for _, id := range e.ids() {
		fmt.Fprintf(&key, "%s=%s ", id, e[id])
	}
	return key.String()
}
