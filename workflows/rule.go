package workflows

import "slices"

// Rule says which states of its parents let a task run. The names and meanings are Airflow's trigger rules; the empty rule is AllSuccess.
type Rule string

// Airflow's trigger rules. "Failed" counts failed and upstream_failed parents where a rule does not say otherwise.
const (
	// AllSuccess runs when all parents succeeded. A failed one makes upstream_failed, a skipped one skips.
	AllSuccess Rule = "all_success"
	// AllFailed runs when all parents failed; otherwise the task is skipped.
	AllFailed Rule = "all_failed"
	// AllDone runs when all parents are final, however they ended.
	AllDone Rule = "all_done"
	// AllSkipped runs when all parents were skipped; otherwise the task is skipped.
	AllSkipped Rule = "all_skipped"
	// OneSuccess runs as soon as one parent succeeded.
	OneSuccess Rule = "one_success"
	// OneFailed runs as soon as one parent failed; otherwise the task is skipped.
	OneFailed Rule = "one_failed"
	// OneDone runs as soon as one parent succeeded or failed itself; a parent that could not run does not count.
	OneDone Rule = "one_done"
	// NoneFailed runs when all parents succeeded or were skipped.
	NoneFailed Rule = "none_failed"
	// NoneFailedMinOneSuccess is NoneFailed with at least one success; all skipped skips.
	NoneFailedMinOneSuccess Rule = "none_failed_min_one_success"
	// NoneSkipped runs when all parents are final and none was skipped; otherwise the task is skipped.
	NoneSkipped Rule = "none_skipped"
	// Always runs at once.
	Always Rule = "always"
)

// parents counts the final states of a task's parents.
type parents struct {
	all, success, failed, upstreamFailed, skipped int
}

func (p parents) bad() int   { return p.failed + p.upstreamFailed }
func (p parents) done() bool { return p.success+p.bad()+p.skipped == p.all }

// rule is when a task becomes upstream_failed, skipped or running; the first that holds counts, and the task waits while none does.
// A condition may hold before the last parent is final: like Airflow, a rule decides as soon as the outcome is certain.
type rule struct {
	name               Rule
	fails, skips, runs func(parents) bool
}

var rules = []rule{
	{AllSuccess, anyBad, anySkipped, parents.done},
	{AllFailed, never, func(p parents) bool { return p.success+p.skipped > 0 }, parents.done},
	{AllDone, never, never, parents.done},
	{AllSkipped, never, func(p parents) bool { return p.success+p.bad() > 0 }, parents.done},
	{OneSuccess, func(p parents) bool { return p.done() && p.success == 0 && p.bad() > 0 }, allSkipped, func(p parents) bool { return p.success > 0 }},
	{OneFailed, never, func(p parents) bool { return p.done() && p.bad() == 0 }, anyBad},
	{OneDone, never, func(p parents) bool { return p.done() && p.success+p.failed == 0 }, func(p parents) bool { return p.success+p.failed > 0 }},
	{NoneFailed, anyBad, never, parents.done},
	{NoneFailedMinOneSuccess, anyBad, allSkipped, parents.done},
	{NoneSkipped, never, anySkipped, parents.done},
	{Always, never, never, func(parents) bool { return true }},
}

func never(parents) bool        { return false }
func anyBad(p parents) bool     { return p.bad() > 0 }
func anySkipped(p parents) bool { return p.skipped > 0 }
func allSkipped(p parents) bool { return p.skipped == p.all }

// Decide returns what the parents' states make of a task: Running (start it), Skipped, UpstreamFailed, or None (wait).
// A task without parents runs, whatever its rule. A rule that Validate refuses never lets a task run.
func (r Rule) Decide(states []State) State {
	if len(states) == 0 {
		return Running
	}
	i := slices.IndexFunc(rules, func(known rule) bool { return known.name == r.name() })
	if i < 0 {
		return UpstreamFailed
	}
	p := count(states)
	switch {
	case rules[i].fails(p):
		return UpstreamFailed
	case rules[i].skips(p):
		return Skipped
	case rules[i].runs(p):
		return Running
	}
	return None
}

func count(states []State) parents {
	p := parents{all: len(states)}
	for _, s := range states {
		switch s {
		case Success:
			p.success++
		case Failed:
			p.failed++
		case UpstreamFailed:
			p.upstreamFailed++
		case Skipped:
			p.skipped++
		}
	}
	return p
}

// name is the rule's name; the empty rule has one, too.
func (r Rule) name() Rule {
	if r == "" {
		return AllSuccess
	}
	return r
}

func (r Rule) known() bool { return slices.Contains(ruleNames(), string(r.name())) }

func ruleNames() []string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = string(r.name)
	}
	return names
}
