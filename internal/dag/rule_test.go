package dag

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/run"
)

var allStates = []run.State{run.None, run.Queued, run.Running, run.UpForRetry, run.Held, run.Success, run.Failed, run.UpstreamFailed, run.Skipped, run.Cancelled}

// airflow states the trigger rules for two parents as Airflow's documentation and scheduler do:
// first what a task is set to without running, then whether it may run. It is written independently
// of rules, case by case.
func airflow(rule TriggerRule, a, b run.State) run.State {
	failedIfCancelled := func(s run.State) run.State { // Airflow has no such state; its tasks of a stopped run are failed
		if s == run.Cancelled {
			return run.Failed
		}
		return s
	}
	a, b = failedIfCancelled(a), failedIfCancelled(b)
	is := func(s run.State, of ...run.State) bool {
		for _, o := range of {
			if s == o {
				return true
			}
		}
		return false
	}
	either := func(of ...run.State) bool { return is(a, of...) || is(b, of...) }
	both := func(of ...run.State) bool { return is(a, of...) && is(b, of...) }
	upstreamDone := both(run.Success, run.Failed, run.UpstreamFailed, run.Skipped)

	switch rule {
	case AllSuccess: // all upstream tasks have succeeded
		if either(run.Failed, run.UpstreamFailed) {
			return run.UpstreamFailed
		}
		if either(run.Skipped) {
			return run.Skipped
		}
		if both(run.Success) {
			return run.Running
		}
	case AllFailed: // all upstream tasks are in a failed or upstream_failed state
		if either(run.Success, run.Skipped) {
			return run.Skipped
		}
		if both(run.Failed, run.UpstreamFailed) {
			return run.Running
		}
	case AllDone: // all upstream tasks are done with their execution
		if upstreamDone {
			return run.Running
		}
	case AllSkipped: // all upstream tasks are in a skipped state
		if either(run.Success, run.Failed, run.UpstreamFailed) {
			return run.Skipped
		}
		if both(run.Skipped) {
			return run.Running
		}
	case OneSuccess: // at least one upstream task has succeeded; does not wait for all
		if both(run.Skipped) {
			return run.Skipped
		}
		if upstreamDone && !either(run.Success) {
			return run.UpstreamFailed
		}
		if either(run.Success) {
			return run.Running
		}
	case OneFailed: // at least one upstream task has failed; does not wait for all
		if upstreamDone && !either(run.Failed, run.UpstreamFailed) {
			return run.Skipped
		}
		if either(run.Failed, run.UpstreamFailed) {
			return run.Running
		}
	case OneDone: // at least one upstream task succeeded or failed
		if upstreamDone && !either(run.Success, run.Failed) {
			return run.Skipped
		}
		if either(run.Success, run.Failed) {
			return run.Running
		}
	case NoneFailed: // no upstream task is failed or upstream_failed: all have succeeded or been skipped
		if either(run.Failed, run.UpstreamFailed) {
			return run.UpstreamFailed
		}
		if both(run.Success, run.Skipped) {
			return run.Running
		}
	case NoneFailedMinOneSuccess: // the same, and at least one has succeeded
		if either(run.Failed, run.UpstreamFailed) {
			return run.UpstreamFailed
		}
		if both(run.Skipped) {
			return run.Skipped
		}
		if both(run.Success, run.Skipped) {
			return run.Running
		}
	case NoneSkipped: // no upstream task is skipped: all are success, failed or upstream_failed
		if either(run.Skipped) {
			return run.Skipped
		}
		if upstreamDone {
			return run.Running
		}
	case Always: // no dependencies at all
		return run.Running
	}
	return run.None
}

func TestRule(t *testing.T) {
	t.Run("decides_as_airflow_for_all_pairs_of_parents", func(t *testing.T) {
		require.Len(t, rules, 11)
		for _, known := range rules {
			for _, a := range allStates {
				for _, b := range allStates {
					require.Equal(t, airflow(known.name, a, b), known.name.Decide([]run.State{a, b}), "%s of %s and %s", known.name, a, b)
				}
			}
		}
	})

	t.Run("empty_is_all_success", func(t *testing.T) {
		for _, a := range allStates {
			require.Equal(t, AllSuccess.Decide([]run.State{a, run.Success}), TriggerRule("").Decide([]run.State{a, run.Success}))
		}
	})

	t.Run("without_parents_runs", func(t *testing.T) {
		for _, known := range rules {
			require.Equal(t, run.Running, known.name.Decide(nil), known.name)
		}
	})

	t.Run("unknown_never_runs", func(t *testing.T) {
		require.Equal(t, run.UpstreamFailed, TriggerRule("most_success").Decide([]run.State{run.Success}))
	})

	t.Run("decides_once_all_parents_are_final", func(t *testing.T) {
		names := rapid.SampledFrom(rules)
		finals := rapid.SliceOfN(rapid.SampledFrom([]run.State{run.Success, run.Failed, run.UpstreamFailed, run.Skipped, run.Cancelled}), 1, 6)
		rapid.Check(t, func(t *rapid.T) {
			rule, states := names.Draw(t, "rule").name, finals.Draw(t, "parents")
			if rule.Decide(states) == run.None {
				t.Fatalf("%s waits for ever for %v", rule, states)
			}
		})
	})

	// A task must not wait for parents that cannot change the outcome, and must not decide while
	// they can (except rules that decide at the first skipped parent, where in Airflow, too, the
	// order of two ends matters).
	t.Run("runs_early_only_if_every_ending_runs", func(t *testing.T) {
		names := rapid.SampledFrom(rules)
		some := rapid.SliceOfN(rapid.SampledFrom([]run.State{run.None, run.Running, run.Success, run.Failed, run.UpstreamFailed, run.Skipped, run.Cancelled}), 1, 4)
		rapid.Check(t, func(t *rapid.T) {
			rule, states := names.Draw(t, "rule").name, some.Draw(t, "parents")
			if rule == Always || rule.Decide(states) != run.Running {
				return
			}
			for _, ending := range endings(states) {
				if got := rule.Decide(ending); got != run.Running {
					t.Fatalf("%s ran on %v, but %v gives %s", rule, states, ending, got)
				}
			}
		})
	})
}

// endings returns all ways in which the parents that are not final can end.
func endings(states []run.State) [][]run.State {
	all := [][]run.State{nil}
	for _, s := range states {
		options := []run.State{s}
		if !s.Final() {
			options = []run.State{run.Success, run.Failed, run.UpstreamFailed, run.Skipped}
		}
		var next [][]run.State
		for _, head := range all {
			for _, o := range options {
				next = append(next, append(append([]run.State{}, head...), o))
			}
		}
		all = next
	}
	return all
}
