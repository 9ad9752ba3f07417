package dag

import (
	"slices"

	"github.com/pinflow/pinflow/internal/run"
)

// TriggerRule decides by the states of its parents whether a task runs. Names and meanings are
// Airflow's. The empty rule is AllSuccess.
type TriggerRule string

// Airflow's trigger rules. Failed parents include cancelled ones and, unless a rule says otherwise,
// those that are upstream_failed.
const (
	// AllSuccess runs when all parents succeeded. After a failed parent the task is
	// upstream_failed, after a skipped one it is skipped.
	AllSuccess TriggerRule = "all_success"
	// AllFailed runs when all parents failed; otherwise the task is skipped.
	AllFailed TriggerRule = "all_failed"
	// AllDone runs when all parents are final.
	AllDone TriggerRule = "all_done"
	// AllSkipped runs when all parents were skipped; otherwise the task is skipped.
	AllSkipped TriggerRule = "all_skipped"
	// OneSuccess runs as soon as one parent succeeded.
	OneSuccess TriggerRule = "one_success"
	// OneFailed runs as soon as one parent failed; otherwise the task is skipped.
	OneFailed TriggerRule = "one_failed"
	// OneDone runs as soon as one parent succeeded or failed; upstream_failed does not count.
	OneDone TriggerRule = "one_done"
	// NoneFailed runs when all parents succeeded or were skipped.
	NoneFailed TriggerRule = "none_failed"
	// NoneFailedMinOneSuccess is NoneFailed with at least one success; the task is skipped if all
	// parents were.
	NoneFailedMinOneSuccess TriggerRule = "none_failed_min_one_success"
	// NoneSkipped runs when all parents are final and none was skipped; otherwise the task is
	// skipped.
	NoneSkipped TriggerRule = "none_skipped"
	// Always runs at once.
	Always TriggerRule = "always"
)

// parents counts the final states of a task's parents.
type parents struct {
	all, success, failed, upstreamFailed, skipped int
}

func (p parents) bad() int { return p.failed + p.upstreamFailed }

func (p parents) done() bool { return p.success+p.bad()+p.skipped == p.all }

// rule holds the conditions under which a task becomes upstream_failed, skipped or running: the
// first one that holds counts, and the task waits while none does. As in Airflow, a condition can
// hold before all parents are final.
type rule struct {
	name               TriggerRule
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

func never(parents) bool { return false }

func anyBad(p parents) bool { return p.bad() > 0 }

func anySkipped(p parents) bool { return p.skipped > 0 }

func allSkipped(p parents) bool { return p.skipped == p.all }

// Decide returns what the task becomes: Running, Skipped, UpstreamFailed, or None while it waits. A
// task without parents runs, whatever its rule. An unknown rule never runs a task.
func (r TriggerRule) Decide(states []run.State) run.State {
	if len(states) == 0 {
		return run.Running
	}
	i := slices.IndexFunc(rules, func(known rule) bool { return known.name == r.Name() })
	if i < 0 {
		return run.UpstreamFailed
	}
	p := count(states)
	switch {
	case rules[i].fails(p):
		return run.UpstreamFailed
	case rules[i].skips(p):
		return run.Skipped
	case rules[i].runs(p):
		return run.Running
	}
	return run.None
}

func count(states []run.State) parents {
	p := parents{all: len(states)}
	for _, s := range states {
		switch s {
		case run.Success:
			p.success++
		case run.Failed, run.Cancelled: // a cancelled task has not done its work
			p.failed++
		case run.UpstreamFailed:
			p.upstreamFailed++
		case run.Skipped:
			p.skipped++
		}
	}
	return p
}

// Name returns the name of the rule, also of the empty one.
func (r TriggerRule) Name() TriggerRule {
	if r == "" {
		return AllSuccess
	}
	return r
}

func (r TriggerRule) known() bool { return slices.Contains(ruleNames(), string(r.Name())) }

func ruleNames() []string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = string(r.name)
	}
	return names
}
