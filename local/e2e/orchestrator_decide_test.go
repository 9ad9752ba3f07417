package e2e

import (
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	t.Run("a_running_task_is_marked_successful", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		s.breakNotebook("clean_geo", "-- Databricks notebook source\nSELECT sleep_ms(3600000)")
		s.breakNotebook("query", "-- Databricks notebook source\nSELECT 1") // the table geo is missing
		date := ago(1)
		s.must("run", string(date))
		s.eventually("the task runs", func() bool {
			geo := s.statusOf(string(date)).Task("clean_geo")
			return geo.State == run.Running && geo.JobRunID != 0
		})
		s.must("task", "succeed", string(date), "clean_geo", "--reason", "loaded by hand")
		s.must("status", string(date), "--watch")
		status := s.statusOf(string(date))
		require.Equal(t, run.Success, status.State)
		geo := status.Task("clean_geo")
		require.Equal(t, run.Success, geo.State)
		require.Contains(t, geo.Decision, "succeed by ")
		require.Contains(t, geo.Decision, "loaded by hand")
		require.Equal(t, run.Cancelled, geo.History[0].State)
		require.Equal(t, run.Success, status.Task("query").State, "its children start")
		require.False(t, status.Task("query").Started.Before(geo.History[0].Ended), "not before the Databricks run has ended")
		runs := s.databricksRuns(date)[s.deployment().JobRunName(workflows.Daily.Name, date, "clean_geo", 1)]
		require.Len(t, runs, 1)
		require.Equal(t, jobs.RunResultStateCanceled, runs[0].State.ResultState)
	})

	t.Run("a_retry_ends_the_delay_between_tries", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		s.breakNotebook("clean_geo", "-- Databricks notebook source\nSELECT * FROM nowhere")
		date := string(ago(1))
		s.must("run", date)
		s.eventually("the task is up for retry", func() bool { return s.statusOf(date).Task("clean_geo").State == run.UpForRetry })
		s.must("task", "retry", date, "clean_geo", "--reason", "the table is there")
		s.eventually("the second try has ended", func() bool { return len(s.statusOf(date).Task("clean_geo").History) == 2 })
		geo := s.statusOf(date).Task("clean_geo")
		row, _ := workflows.Daily.DAG.Task("clean_geo")
		require.Less(t, geo.History[1].Started.Sub(geo.History[0].Ended), row.DelayBetweenTries())
		require.Contains(t, geo.Decision, "the table is there")
	})

	t.Run("a_failed_task_of_an_open_run_is_retried_with_its_children", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		s.breakNotebook("clean_geo", "-- Databricks notebook source\nSELECT * FROM nowhere")
		s.breakNotebook("clean_pin", "-- Databricks notebook source\nSELECT sleep_ms(3600000)") // keeps the run open
		date := string(ago(1))
		s.must("run", date)
		s.eventually("the task has failed", func() bool { return s.statusOf(date).Task("query").State == run.UpstreamFailed })
		code, _, stderr := s.starter("task", "retry", date, "query", "--reason", "x")
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "retry what failed above it (clean_geo)")
		s.must("notebooks", "push")
		s.must("task", "retry", date, "clean_geo", "--reason", "the notebook is back")
		s.must("task", "retry", date, "clean_pin", "--reason", "the notebook is back")
		s.must("status", date, "--watch")
		status := s.statusOf(date)
		require.Equal(t, run.Success, status.State)
		require.Equal(t, []int{3, 2, 1}, []int{status.Task("clean_geo").Tries, status.Task("clean_pin").Tries, status.Task("query").Tries})
	})
}

func TestRerunKeeps(t *testing.T) {
	t.Parallel()
	t.Run("the_parameters_of_the_date", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		s.post(wire.lines(t), 0, 1)
		s.must("run", today(), "--wait")
		quarantined := s.statusOf(today()).Task("clean_pin").Quarantined
		s.must("run", today(), "--wait", "--param", "invalid_followers=null", "--tag", "lenient")
		lenient := s.statusOf(today()).Task("clean_pin").Quarantined
		require.Less(t, lenient, quarantined)

		_, _, stderr := s.starter("rerun", today(), "--from", "clean_pin", "--wait")
		require.Contains(t, stderr, "params: invalid_followers=null (kept)\ntags: lenient (kept)\n")
		status := s.statusOf(today())
		require.Equal(t, lenient, status.Task("clean_pin").Quarantined)
		require.Equal(t, 2, status.Task("clean_pin").Tries)
		require.Equal(t, map[string]string{"invalid_followers": "null"}, status.Params)

		s.must("backfill", "--from", today(), "--to", today(), "--task-from", "clean_pin", "--wait")
		require.Equal(t, lenient, s.statusOf(today()).Task("clean_pin").Quarantined, "each date of a backfill keeps its own")
		require.Contains(t, s.must("runs", "--tag", "lenient", "--from", today()), today())

		s.must("rerun", today(), "--from", "clean_pin", "--no-param", "invalid_followers", "--wait")
		require.Equal(t, quarantined, s.statusOf(today()).Task("clean_pin").Quarantined)
	})
}
