package workflows

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var allStates = []State{None, Queued, Running, UpForRetry, Held, Success, Failed, UpstreamFailed, Skipped}

// airflow states the trigger rules for two parents as Airflow's documentation and scheduler do: first what a task is set to without
// running, then whether it may run. It is written apart from rules, case by case.
func airflow(rule Rule, a, b State) State {
	is := func(s State, of ...State) bool {
		for _, o := range of {
			if s == o {
				return true
			}
		}
		return false
	}
	either := func(of ...State) bool { return is(a, of...) || is(b, of...) }
	both := func(of ...State) bool { return is(a, of...) && is(b, of...) }
	upstreamDone := both(Success, Failed, UpstreamFailed, Skipped)

	switch rule {
	case AllSuccess: // all upstream tasks have succeeded
		if either(Failed, UpstreamFailed) {
			return UpstreamFailed
		}
		if either(Skipped) {
			return Skipped
		}
		if both(Success) {
			return Running
		}
	case AllFailed: // all upstream tasks are in a failed or upstream_failed state
		if either(Success, Skipped) {
			return Skipped
		}
		if both(Failed, UpstreamFailed) {
			return Running
		}
	case AllDone: // all upstream tasks are done with their execution
		if upstreamDone {
			return Running
		}
	case AllSkipped: // all upstream tasks are in a skipped state
		if either(Success, Failed, UpstreamFailed) {
			return Skipped
		}
		if both(Skipped) {
			return Running
		}
	case OneSuccess: // at least one upstream task has succeeded; does not wait for all
		if both(Skipped) {
			return Skipped
		}
		if upstreamDone && !either(Success) {
			return UpstreamFailed
		}
		if either(Success) {
			return Running
		}
	case OneFailed: // at least one upstream task has failed; does not wait for all
		if upstreamDone && !either(Failed, UpstreamFailed) {
			return Skipped
		}
		if either(Failed, UpstreamFailed) {
			return Running
		}
	case OneDone: // at least one upstream task succeeded or failed
		if upstreamDone && !either(Success, Failed) {
			return Skipped
		}
		if either(Success, Failed) {
			return Running
		}
	case NoneFailed: // no upstream task is failed or upstream_failed: all have succeeded or been skipped
		if either(Failed, UpstreamFailed) {
			return UpstreamFailed
		}
		if both(Success, Skipped) {
			return Running
		}
	case NoneFailedMinOneSuccess: // the same, and at least one has succeeded
		if either(Failed, UpstreamFailed) {
			return UpstreamFailed
		}
		if both(Skipped) {
			return Skipped
		}
		if both(Success, Skipped) {
			return Running
		}
	case NoneSkipped: // no upstream task is skipped: all are success, failed or upstream_failed
		if either(Skipped) {
			return Skipped
		}
		if upstreamDone {
			return Running
		}
	case Always: // no dependencies at all
		return Running
	}
	return None
}

func TestRule_DecidesAsAirflowForEveryTwoParents(t *testing.T) {
	require.Len(t, rules, 11)
	for _, known := range rules {
		for _, a := range allStates {
			for _, b := range allStates {
				require.Equal(t, airflow(known.name, a, b), known.name.Decide([]State{a, b}), "%s of %s and %s", known.name, a, b)
			}
		}
	}
}

func TestRule_EmptyIsAllSuccess(t *testing.T) {
	for _, a := range allStates {
		require.Equal(t, AllSuccess.Decide([]State{a, Success}), Rule("").Decide([]State{a, Success}))
	}
}

func TestRule_WithoutParentsRuns(t *testing.T) {
	for _, known := range rules {
		require.Equal(t, Running, known.name.Decide(nil), known.name)
	}
}

func TestRule_UnknownNeverRuns(t *testing.T) {
	require.Equal(t, UpstreamFailed, Rule("most_success").Decide([]State{Success}))
}

func TestRule_DecidesOnceAllParentsAreFinal(t *testing.T) {
	names := rapid.SampledFrom(rules)
	finals := rapid.SliceOfN(rapid.SampledFrom([]State{Success, Failed, UpstreamFailed, Skipped}), 1, 6)
	rapid.Check(t, func(t *rapid.T) {
		rule, states := names.Draw(t, "rule").name, finals.Draw(t, "parents")
		if rule.Decide(states) == None {
			t.Fatalf("%s waits for ever on %v", rule, states)
		}
	})
}

// A task must not wait for parents that cannot change the outcome, and must not decide while they can (but for the rules that
// set a state at the first skipped parent, where the order of two ends counts in Airflow, too).
func TestRule_RunsEarlyOnlyIfEveryEndingRuns(t *testing.T) {
	names := rapid.SampledFrom(rules)
	some := rapid.SliceOfN(rapid.SampledFrom([]State{None, Running, Success, Failed, UpstreamFailed, Skipped}), 1, 4)
	rapid.Check(t, func(t *rapid.T) {
		rule, states := names.Draw(t, "rule").name, some.Draw(t, "parents")
		if rule == Always || rule.Decide(states) != Running {
			return
		}
		for _, ending := range endings(states) {
			if got := rule.Decide(ending); got != Running {
				t.Fatalf("%s ran on %v, but %v gives %s", rule, states, ending, got)
			}
		}
	})
}

// endings are all ways in which the parents that are not final can end.
func endings(states []State) [][]State {
	all := [][]State{nil}
	for _, s := range states {
		options := []State{s}
		if !s.Final() {
			options = []State{Success, Failed, UpstreamFailed, Skipped}
		}
		var next [][]State
		for _, head := range all {
			for _, o := range options {
				next = append(next, append(append([]State{}, head...), o))
			}
		}
		all = next
	}
	return all
}
