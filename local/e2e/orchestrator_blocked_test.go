package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
	"github.com/pinflow/pinflow/workflows/operators"
)

// otherBuild starts a worker whose Run is not that of the recorded history: it starts with a timer,
// and not with an activity.
func otherBuild(t *testing.T, c client.Client, d run.Deployment) worker.Worker {
	t.Helper()
	w := worker.New(c, d.TaskQueue(), worker.Options{})
	workflows.Register(otherRun{w}, workflows.DefaultCatalog, operators.Default)
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context, _ run.Input) error { return workflow.Sleep(ctx, time.Hour) },
		workflow.RegisterOptions{Name: run.RunWorkflow})
	require.NoError(t, w.Start())
	return w
}

// otherRun registers all workflows of this build but Run.
type otherRun struct{ worker.Registry }

func (o otherRun) RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions) {
	if options.Name != run.RunWorkflow {
		o.Registry.RegisterWorkflowWithOptions(w, options)
	}
}

func TestBlocked(t *testing.T) {
	t.Parallel()
	// A worker of a build that cannot run an open run leaves that run blocked. Every command says so
	// and what to do, and shows the other dates; under a worker that can run it, it goes on.
	t.Run("a_blocked_run_is_a_state_and_breaks_no_command_about_others", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		good, stuck := ago(2), ago(1)
		s.must("run", string(good), "--wait")
		s.breakNotebook("load", "-- Databricks notebook source\nSELECT * FROM nowhere")
		s.must("run", string(stuck), "--hold")
		s.eventually("the run holds", func() bool { return s.statusOf(string(stuck)).State == run.Held })

		require.True(t, s.worker.stop())
		c := s.temporal()
		other := otherBuild(t, c, s.deployment())
		wake := func() {
			require.NoError(t, c.SignalWorkflow(t.Context(), s.deployment().WorkflowID(workflows.Daily.Name, stuck), "", "wake", nil))
		}
		wake()
		var listed []struct {
			Date    dates.Date
			Blocked struct{ Message string }
		}
		s.eventually("the run is blocked", func() bool {
			listed = nil
			require.NoError(t, json.Unmarshal([]byte(s.must("runs", "--state", "blocked", "-o", "json")), &listed))
			return len(listed) == 1
		})
		require.Equal(t, stuck, listed[0].Date)
		require.Contains(t, listed[0].Blocked.Message, "TMPRL1100")
		for _, line := range []string{"status", "runs", "grid", "calendar", "gantt " + string(stuck), "graph " + string(stuck), "logs " + string(stuck)} {
			code, stdout, stderr := s.starter(strings.Fields(line)...)
			require.Zero(t, code, "%s\n%s\n%s", line, stdout, stderr)
			t.Logf("$ starter %s\n%s", line, stdout)
			require.NotContains(t, stdout+stderr, "no worker answers", line)
			if !strings.HasPrefix(line, "logs") {
				require.Contains(t, stdout, "blocked", line)
				require.Contains(t, stdout, "starter terminate", line)
			}
		}
		for _, line := range []string{"grid", "runs --state success", "calendar"} {
			require.Contains(t, s.must(strings.Fields(line)...), "success", "the other date is shown")
		}
		code, stdout, stderr := s.starter("status", string(stuck))
		require.Equal(t, 1, code, stderr)
		require.Contains(t, stdout, "blocked: workflow task fails since")
		t.Logf("$ starter status %s\n%s", stuck, stdout)
		code, stdout, _ = s.starter("doctor")
		require.Equal(t, 1, code)
		require.Contains(t, stdout, s.deployment().WorkflowID(workflows.Daily.Name, stuck)+" is blocked: workflow task fails since")
		require.Contains(t, s.must("status", string(good)), "success")
		require.Contains(t, s.must("backfill", "--from", string(good), "--to", string(stuck), "--dry-run"), "is blocked; the backfill waits for that run")

		other.Stop()
		s.worker = s.start("workers")
		s.must("notebooks", "push")
		wake()
		s.eventually("the run goes on", func() bool { return s.statusOf(string(stuck)).State == run.Held })
		s.must("task", "retry", string(stuck), "load", "--reason", "the notebook is back")
		s.must("status", string(stuck), "--watch")
	})
}
