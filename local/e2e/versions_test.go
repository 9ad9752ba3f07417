package e2e

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// Build ids of the two builds of the workers.
const (
	oldBuild = config.Version + "+" + commit
	newBuild = config.Version + "+0000002"
)

// version is a version of the workers as `starter deploy status` tells it.
type version struct {
	State     string
	OpenRuns  int
	Workers   []struct{ Identity string }
	Removable bool
}

func (s *system) versions() map[string]version {
	s.t.Helper()
	var status struct {
		Versions []struct {
			BuildID string
			version
		}
	}
	require.NoError(s.t, json.Unmarshal([]byte(s.must("deploy", "status", "-o", "json")), &status))
	all := map[string]version{}
	for _, v := range status.Versions {
		all[v.BuildID] = v.version
	}
	return all
}

// workerOf starts a worker of a build, and returns when Temporal knows its version.
func (s *system) workerOf(program, build string) *process {
	s.t.Helper()
	p, err := launchProcess(s.data, append(s.env, "PINFLOW_WORKER_ADDRESS=127.0.0.1:0"), program)
	require.NoError(s.t, err)
	s.owned(p)
	s.eventually("a worker of "+build+" polls", func() bool { return len(s.versions()[build].Workers) == 1 })
	return p
}

// versionOf returns the build that a date's latest run is pinned to; empty if there is no run yet.
func (s *system) versionOf(date dates.Date) string {
	s.t.Helper()
	run, err := s.temporal().DescribeWorkflowExecution(s.t.Context(), s.deployment().WorkflowID(workflows.Daily.Name, date), "")
	if err != nil {
		require.ErrorAs(s.t, err, new(*serviceerror.NotFound))
	}
	return run.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion().GetBuildId()
}

// firedOn makes the Schedule fire and returns the build on which its range ends.
func (s *system) firedOn() (build string) {
	s.t.Helper()
	c := s.temporal()
	id := s.deployment().ScheduleID(workflows.Daily.Name)
	require.NoError(s.t, c.ScheduleClient().GetHandle(s.t.Context(), id).Trigger(s.t.Context(), client.ScheduleTriggerOptions{}))
	s.eventually("the range of the Schedule ends", func() bool {
		found, err := c.ListWorkflow(s.t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: fmt.Sprintf("TemporalScheduledById = '%s' AND ExecutionStatus = 'Completed'", id),
		})
		require.NoError(s.t, err)
		if len(found.Executions) == 0 {
			return false
		}
		fired, err := c.DescribeWorkflowExecution(s.t.Context(), found.Executions[0].Execution.WorkflowId, "")
		require.NoError(s.t, err)
		build = fired.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion().GetBuildId()
		return true
	})
	return build
}

// doctor returns the finding of a check of Temporal.
func (s *system) doctor(check string) (finding struct {
	Detail      string
	OK, Warning bool
}) {
	s.t.Helper()
	var all []struct {
		Check, Detail string
		OK, Warning   bool
	}
	_, stdout, stderr := s.starter("doctor", "-o", "json")
	require.NoError(s.t, json.Unmarshal([]byte(stdout), &all), stderr)
	for _, f := range all {
		if f.Check == check {
			finding.Detail, finding.OK, finding.Warning = f.Detail, f.OK, f.Warning
		}
	}
	return finding
}

func TestVersions(t *testing.T) {
	t.Parallel()
	t.Run("an_old_build_ends_its_runs_beside_a_new_one", func(t *testing.T) {
		onShared.enter(t)
		require.NoError(t, buildProgram("../..", buildArgs("0000002", bin+"/next/workers", "./workers")))
		s := startTenant(t, "PINFLOW_WORKER_VERSIONING=on")
		held, next, manual := ago(3), ago(2), ago(1)

		// A worker alone starts no runs: an operator says when.
		s.eventually("the worker polls", func() bool { return len(s.versions()[oldBuild].Workers) == 1 })
		require.Contains(t, s.doctor("versions").Detail, "no version is current, and new runs wait: `starter deploy promote "+oldBuild+"`")
		s.must("deploy", "promote", oldBuild)
		require.True(t, s.doctor("versions").OK, s.doctor("versions").Detail)

		// A backfill whose first date is held, on the old build.
		s.breakNotebook("clean_geo", "-- Databricks notebook source\nSELECT * FROM nowhere")
		s.must("backfill", "--from", string(held), "--to", string(next), "--parallel", "1", "--hold")
		s.eventually("the run holds", func() bool { return s.statusOf(string(held)).State == run.Held })
		s.must("notebooks", "push")

		// The new build comes, and takes new runs.
		s.workerOf("next/workers", newBuild)
		require.Equal(t, "inactive", s.versions()[newBuild].State)
		s.must("deploy", "promote", newBuild)
		code, _, stderr := s.starter("run", string(manual), "--wait")
		require.Zero(t, code, stderr)
		require.Contains(t, stderr, "Warning: workers run "+newBuild, "the command is of the old build")
		require.Equal(t, []string{newBuild, oldBuild}, []string{s.versionOf(manual), s.versionOf(held)})
		require.Equal(t, newBuild, s.firedOn(), "the Schedule starts its ranges on the new build, too")
		require.Equal(t, []any{1, false}, []any{s.versions()[oldBuild].OpenRuns, s.versions()[oldBuild].Removable})
		require.True(t, s.doctor("build").Warning)

		// The workers of the old build end too early.
		require.True(t, s.worker.stop())
		s.eventually("Temporal forgets the old worker", func() bool { return len(s.versions()[oldBuild].Workers) == 0 })
		finding := s.doctor("versions")
		require.False(t, finding.OK)
		require.Contains(t, finding.Detail, oldBuild+" has 1 open run and no workers: start workers of that build again")

		// They come back and end the run; the backfill, which has moved on to the new build, starts its
		// next date there.
		old := s.workerOf("workers", oldBuild)
		s.must("task", "retry", string(held), "clean_geo", "--reason", "the notebook is back")
		s.eventually("the next date starts", func() bool { return s.versionOf(next) != "" })
		s.eventually("the next date ends", func() bool { return s.statusOf(string(next)).State == run.Success })
		require.Equal(t, run.Success, s.statusOf(string(held)).State)
		require.Equal(t, []string{oldBuild, newBuild}, []string{s.versionOf(held), s.versionOf(next)})

		s.eventually("the old build may go", func() bool { return s.versions()[oldBuild].Removable })
		require.Equal(t, "drained", s.versions()[oldBuild].State)
		require.Contains(t, s.doctor("versions").Detail, "the workers of "+oldBuild+" may be stopped")
		require.True(t, old.stop())
		require.True(t, s.doctor("versions").OK)
	})
}
