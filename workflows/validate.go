package workflows

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// taskID is the form of a task's id: it stands in names and links of other systems, which differ in what else they allow.
var taskID = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Validate reports all that is wrong with the DAG at once, each mistake with the names that it is about. The pools are those that exist.
func (d DAG) Validate(pools []Pool) error {
	var found mistakes
	if len(d) == 0 {
		found.add("the DAG has no tasks")
	}
	for i, t := range d {
		d.checkParents(&found, i)
		d[i].check(&found, pools)
		if d[:i].has(t.ID) {
			found.add("task %q stands twice", t.ID)
		}
	}
	if len(found) == 0 { // a table with a cycle or an unknown rule has no endings to look at
		d.checkRulesFire(&found)
	}
	return errors.Join(found...)
}

// mistakes are what is wrong, in the order in which it was found.
type mistakes []error

func (m *mistakes) add(format string, args ...any) { *m = append(*m, fmt.Errorf(format, args...)) }

// checkParents looks at the parents of the task in that row.
func (d DAG) checkParents(found *mistakes, row int) {
	t, above := d[row], d[:row]
	for j, parent := range t.After {
		switch {
		case slices.Contains(t.After[:j], parent):
			found.add("task %q names its parent %q twice", t.ID, parent)
		case !d.has(parent):
			found.add("task %q: its parent %q is no task of this DAG", t.ID, parent)
		case above.has(parent):
		case slices.Contains(d.ancestors(parent), t.ID) || parent == t.ID:
			found.add("task %q and its parent %q wait for each other: a cycle", t.ID, parent)
		default:
			found.add("task %q: its parent %q stands below it; parents stand above their children", t.ID, parent)
		}
	}
}

// check looks at the rest of a row.
func (t Task) check(found *mistakes, pools []Pool) {
	if !taskID.MatchString(t.ID) {
		found.add("task %q: an id is small letters, digits and underscores, and starts with a letter", t.ID)
	}
	switch {
	case !t.When.known():
		found.add("task %q: unknown trigger rule %q; the rules are %s", t.ID, t.When, strings.Join(ruleNames(), ", "))
	case len(t.After) == 0 && t.When.name() != AllSuccess && t.When != Always:
		found.add("task %q: trigger rule %s says nothing, as the task has no parents", t.ID, t.When)
	}
	if t.Tries < 0 || t.Delay < 0 || t.Deadline < 0 {
		found.add("task %q: tries, delay and deadline are not negative", t.ID)
	}
	if t.Pool != "" && !slices.ContainsFunc(pools, func(p Pool) bool { return p.Name == t.Pool && p.Slots > 0 }) {
		found.add("task %q: there is no pool %q with slots", t.ID, t.Pool)
	}
	if t.Do == nil {
		found.add("task %q does nothing: it has no operator", t.ID)
	}
	t.Expect.check(found, t)
}

// maxEndings bounds how many ways to end are looked at. Beyond it a DAG is taken for right: it is too wide for its rules to be judged here.
const maxEndings = 100_000

// checkRulesFire finds tasks that no way of the tasks above them to end lets run. It goes down the table with all combinations of states
// in which the tasks that are still somebody's parents can be together: each task that runs can succeed, fail or be skipped, as an
// operator or a person decides.
func (d DAG) checkRulesFire(found *mistakes) {
	endings := map[string]ending{"": {}}
	for i, t := range d {
		waiting := d[i+1:].waiting()
		next := map[string]ending{}
		fires := false
		for _, e := range endings {
			decided := t.When.Decide(e.of(t.After))
			fires = fires || decided == Running
			for _, state := range outcomes(decided) {
				grown := e.with(waiting, t.ID, state)
				next[grown.key()] = grown
			}
		}
		if !fires {
			found.add("task %q can never run: its trigger rule %s never holds, however %s end", t.ID, t.When.name(), strings.Join(t.After, " and "))
		}
		if endings = next; len(endings) > maxEndings {
			return
		}
	}
}

// outcomes are the final states of a task about which its parents have decided so.
func outcomes(decided State) []State {
	if decided == Running {
		return []State{Success, Failed, Skipped}
	}
	return []State{decided}
}

// waiting says for each task, by its id, which tasks of the table wait for it.
func (d DAG) waiting() map[string]string {
	children := map[string]string{}
	for _, t := range d {
		for _, parent := range t.After {
			children[parent] += t.ID + " "
		}
	}
	return children
}

// ending is one way in which tasks can have ended together, by their ids.
type ending map[string]State

func (e ending) of(ids Tasks) []State {
	states := make([]State, len(ids))
	for i, id := range ids {
		states[i] = e[id]
	}
	return states
}

func (e ending) ids() []string { return slices.Sorted(maps.Keys(e)) }

// with is the ending with one more task, less the tasks that nobody waits for any more. Rules count states, so among tasks for which the
// same others wait it does not matter which has which: they are put in order, and ten siblings have 66 endings instead of 59,049.
func (e ending) with(waiting map[string]string, id string, state State) ending {
	alike := map[string][]string{} // by who waits for them
	states := map[string][]State{}
	add := func(id string, state State) {
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

// key tells endings apart.
func (e ending) key() string {
	var key strings.Builder
	for _, id := range e.ids() {
		fmt.Fprintf(&key, "%s=%s ", id, e[id])
	}
	return key.String()
}
