package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
)

// leaves is an operator that leaves this outcome.
func leaves(out Outcome) does {
	return func(workflow.Context, Try) (Outcome, error) { return out, nil }
}

func states(p played) map[string]State {
	all := map[string]State{}
	for _, task := range p.status.Tasks {
		all[task.ID] = task.State
	}
	return all
}

func TestSkip_AShortCircuitSkipsTheRestWhateverTheRules(t *testing.T) {
	p := play(t, daily(func(d DAG) {
		d[1].Do = leaves(Outcome{SkipRest: true})
		d[4].When = AllDone
	}), RunInput{})
	require.NoError(t, p.err)
	require.Equal(t, map[string]State{"load": Success, "clean_pin": Success, "clean_geo": Success, "clean_user": Success, "query": Skipped}, states(p))
	require.Equal(t, "clean_pin ended the rest of the run", p.task("query").Error)
	p = play(t, daily(func(d DAG) { d[0].Do = leaves(Outcome{SkipRest: true}) }), RunInput{})
	require.NoError(t, p.err)
	require.Equal(t, map[string]State{"load": Success, "clean_pin": Skipped, "clean_geo": Skipped, "clean_user": Skipped, "query": Skipped}, states(p))
}

func TestSkip_ABranchSkipsTheseChildrenAndRulesDecideBelow(t *testing.T) {
	for rule, query := range map[Rule]State{AllSuccess: Skipped, NoneFailedMinOneSuccess: Success} {
		p := play(t, daily(func(d DAG) {
			d[0].Do = leaves(Outcome{SkipChildren: Tasks{"clean_pin", "clean_user"}})
			d[4].When = rule
		}), RunInput{})
		require.NoError(t, p.err)
		require.Equal(t, map[string]State{"load": Success, "clean_pin": Skipped, "clean_geo": Success, "clean_user": Skipped, "query": query}, states(p), rule)
		require.Equal(t, "not on the branch that load took", p.task("clean_pin").Error)
	}
}

func TestSkip_ABranchToWhatIsNoChildFailsTheTask(t *testing.T) {
	p := play(t, daily(func(d DAG) { d[0].Do, d[0].Tries = leaves(Outcome{SkipChildren: Tasks{"query"}}), 1 }), RunInput{})
	require.ErrorContains(t, p.err, `task load skips "query", which is none of its children: they are clean_pin, clean_geo, clean_user`)
}

func TestSkip_WhatRunsAlreadyGoesOn(t *testing.T) {
	p := play(t, DAG{
		{ID: "fast", Do: leaves(Outcome{})},
		{ID: "slow", Do: does(func(ctx workflow.Context, _ Try) (Outcome, error) {
			return Outcome{SkipRest: true}, workflow.Sleep(ctx, 30*time.Second)
		})},
		{ID: "early", After: Tasks{"fast", "slow"}, When: OneSuccess, Do: does(ok)},
		{ID: "late", After: Tasks{"early"}, Do: does(ok)},
	}, RunInput{})
	require.NoError(t, p.err)
	require.Equal(t, map[string]State{"fast": Success, "slow": Success, "early": Success, "late": Skipped}, states(p))
}

func TestSkip_ARerunKeepsTheBranch(t *testing.T) {
	prior := activities.LedgerEntry{Tasks: []activities.TaskRecord{
		{ID: "load", State: "success", Tries: 1, Outcome: Outcome{SkipChildren: Tasks{"clean_pin"}}},
		{ID: "clean_pin", State: "skipped"}, {ID: "clean_geo", State: "failed", Tries: 2}, {ID: "clean_user", State: "success", Tries: 1}, {ID: "query", State: "upstream_failed"},
	}}
	p := play(t, daily(), RunInput{Again: Tasks{"clean_pin", "clean_geo", "query"}}, priorRun(prior))
	require.NoError(t, p.err)
	require.Equal(t, map[string]State{"load": Success, "clean_pin": Skipped, "clean_geo": Success, "clean_user": Success, "query": Skipped}, states(p))
}

func TestLoad_ADateWithoutRecordsEndsTheRunIfItIsToldTo(t *testing.T) {
	out, err := Load{SkipEmpty: true}.Run(nil, Try{})
	require.NoError(t, err)
	require.True(t, out.SkipRest)
}
