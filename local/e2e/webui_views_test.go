package e2e

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// documentedViews returns the queries of the how-to by their names.
func documentedViews(t *testing.T) map[string]string {
	text, err := os.ReadFile("../../docs/how-to/find-runs-in-the-web-ui.md")
	require.NoError(t, err)
	views := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| ([a-zA-Z ]+) \\| `(.*)` \\|$").FindAllStringSubmatch(string(text), -1) {
		views[row[1]] = row[2]
	}
	return views
}

func TestWebUIViews(t *testing.T) {
	t.Parallel()
	// Each query of the how-to finds what its name says, and the list has nothing of ours but runs,
	// ranges and the pools.
	t.Run("documented_queries_find_what_they_name", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		c := s.temporal()
		good, failed, held, filled, fired := ago(5), ago(4), ago(3), ago(2), ago(1)
		s.must("emulate", "--count", "30")
		s.must("run", string(ago(0)), "--wait") // of a date that is not over
		s.must("run", string(good), "--wait")
		s.must("schedule", "apply")
		s.fire(c, fired)
		s.must("backfill", "--from", string(filled), "--to", string(filled), "--wait")
		s.eventually("the run of the Schedule has ended", func() bool {
			runs := s.executions(c, fired)
			return len(runs) == 1 && runs[0].CloseTime != nil
		})
		s.breakNotebook("load", "-- Databricks notebook source\nSELECT * FROM nowhere")
		code, _, _ := s.starter("run", string(failed), "--wait")
		require.NotZero(t, code)
		s.must("run", string(held), "--hold")
		s.eventually("the run holds", func() bool { return s.statusOf(string(held)).State == run.Held })
		// An operator that no build has blocks a workflow.
		blocked := launch.PoolsOptions(s.deployment())
		blocked.ID = string(s.deployment()) + ".blocked"
		message := run.PoolsMessage{Request: &run.Request{WorkflowID: "none", RunID: "none", Task: "a", Try: 1, Pool: "p", Slots: 1, Operator: []byte(`{"spark": {}}`)}}
		_, err := c.SignalWithStartWorkflow(t.Context(), blocked.ID, run.PoolsSignal, message, blocked, run.PoolsWorkflow, run.PoolsState{Rebuilt: true})
		require.NoError(t, err)

		id := func(day int) string { return s.deployment().WorkflowID(workflows.Daily.Name, ago(day)) }
		backfill := s.deployment().RangeWorkflowID(workflows.Daily.Name, filled, filled)
		pools := s.deployment().PoolsID()
		runs := []string{id(5), id(4), id(3), id(2), id(1), id(0)}
		want := map[string][]string{
			"runs":           runs,
			"failed or held": {id(4), id(3)},
			"backfills":      {backfill},
			"blocked":        {blocked.ID},
			"partial":        {id(0)},
			"one date":       {id(5)},
			"warned":         {id(5), id(2), id(1)}, // without records
			"pools":          {pools, blocked.ID},
		}
		views := documentedViews(t)
		found := func(query string) []string {
			query = strings.ReplaceAll(query, "'pinflow'", "'"+string(s.deployment())+"'")
			query = strings.NewReplacer("2022-10-18", string(good), "2022-10-19", string(good.Add(1))).Replace(query)
			return listed(t, c, s.setting("TEMPORAL_NAMESPACE"), query)
		}
		require.Len(t, views, len(want)+1)
		for name, ids := range want {
			require.Contains(t, views, name)
			slices.Sort(ids)
			var got []string
			s.eventually("view "+name+" shows "+strings.Join(ids, ", "), func() bool {
				got = found(views[name])
				return slices.Equal(ids, got)
			})
		}
		scheduled := found(views["starts of the Schedule"])
		require.Len(t, scheduled, 1)

		all := append(slices.Clone(runs), backfill, scheduled[0], pools, blocked.ID)
		slices.Sort(all)
		require.Equal(t, all, listed(t, c, s.setting("TEMPORAL_NAMESPACE"), "TemporalNamespaceDivision IS NULL"), "nothing else is in the list")

		description, err := c.DescribeWorkflowExecution(t.Context(), pools, "")
		require.NoError(t, err)
		var about string
		require.NoError(t, json.Unmarshal(description.GetWorkflowExecutionInfo().GetMemo().GetFields()["about"].GetData(), &about))
		require.Equal(t, launch.AboutPools, about)
	})
}

// listed returns the sorted ids of the workflows that a query of the Web UI's list finds.
func listed(t *testing.T, c client.Client, namespace, query string) (ids []string) {
	t.Helper()
	found, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, Query: query})
	require.NoError(t, err, query)
	for _, e := range found.GetExecutions() {
		if e.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
			ids = append(ids, e.GetExecution().GetWorkflowId())
		}
	}
	slices.Sort(ids)
	return ids
}
