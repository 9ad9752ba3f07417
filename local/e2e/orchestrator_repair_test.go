package e2e

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// statusOf is a date's run as `starter status` tells it. It waits for the run: the dates of a backfill
// have none at once.
func (s *system) statusOf(date string) (status struct {
	run.Status
	Notes []ledger.Note `json:"notes"`
}) {
	s.t.Helper()
	s.eventually(date+" has a run", func() bool {
		_, stdout, _ := s.starter("status", date, "-o", "json")
		return json.Unmarshal([]byte(stdout), &status) == nil
	})
	return status
}

func TestRepair(t *testing.T) {
	t.Parallel()
	t.Run("a_held_task_is_retried_and_a_rerun_really_runs_again", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		date := string(ago(1))
		s.breakNotebook("clean_geo", "-- Databricks notebook source\nSELECT * FROM nowhere")
		s.must("run", date, "--hold", "--tag", "repair")
		s.eventually("the run holds", func() bool { return s.statusOf(date).State == run.Held })
		code, _, stderr := s.starter("task", "retry", date, "query", "--reason", "x")
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "held: clean_geo", "a wrong decision is refused with what is possible")
		s.must("pause", date, "--reason", "the notebook is being fixed")
		s.must("notebooks", "push")
		s.must("task", "retry", date, "clean_geo", "--reason", "the notebook is back")
		require.Equal(t, "the run to be resumed", s.statusOf(date).Task("clean_geo").Waiting)
		s.must("resume", date)
		s.must("status", date, "--watch")

		s.must("rerun", date, "--only", "query", "--wait")
		s.must("note", date, "the source was late")
		status := s.statusOf(date)
		require.Equal(t, run.Success, status.State)
		require.Equal(t, "the source was late", status.Notes[0].Text)
		require.Contains(t, status.Task("clean_geo").Decision, "the notebook is back")
		require.True(t, status.Task("clean_geo").Carried)
		require.Equal(t, []int{3, 2}, []int{status.Task("clean_geo").Tries, status.Task("query").Tries})
		require.NotEqual(t, status.Task("query").History[0].JobRunID, status.Task("query").History[1].JobRunID)
		runs := s.databricksRuns(dates.Date(date))
		require.Len(t, runs, tasksOfDaily+2+1, "clean_geo three times, query twice, the others once: %v", runs)

		var why struct {
			Made run.Task `json:"made"`
		}
		require.NoError(t, json.Unmarshal([]byte(s.must("why", "users_joined_by_year", date, "-o", "json")), &why))
		require.Equal(t, status.Task("query").JobRunID, why.Made.JobRunID)
		var runsTagged []struct{ Date string }
		require.NoError(t, json.Unmarshal([]byte(s.must("runs", "--tag", "repair", "--from", date, "-o", "json")), &runsTagged))
		require.Len(t, runsTagged, 2, "the rerun keeps the tag")
		code, _, _ = s.starter("rerun", date, "--failed")
		require.Equal(t, 1, code, "nothing has failed")
	})
}
