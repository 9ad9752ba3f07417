package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/startertest"
)

// UpdateWorkflow answers as the test says.
func (f *fakeTemporal) UpdateWorkflow(_ context.Context, o client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	f.updates = append(f.updates, o)
	return &fakeUpdate{err: f.updateErr}, nil
}

type fakeUpdate struct {
	client.WorkflowUpdateHandle
	err error
}

func (u *fakeUpdate) Get(context.Context, any) error { return u.err }

func (s *fakeService) RequestCancelWorkflowExecution(_ context.Context, r *workflowservice.RequestCancelWorkflowExecutionRequest, _ ...grpc.CallOption) (*workflowservice.RequestCancelWorkflowExecutionResponse, error) {
	s.temporal.cancels = append(s.temporal.cancels, r)
	return &workflowservice.RequestCancelWorkflowExecutionResponse{}, s.temporal.err
}

// openRun adds an open run of 2022-10-18.
func (w *world) openRun(status run.Status) {
	w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: running, answers: []any{status, status, status}})
}

// ran adds a run of 2022-10-18 that has ended, and its ledger entry.
func (w *world) ran(t *testing.T, status run.Status) {
	w.ledger(t, status)
	w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: completed, closed: at(75), answers: []any{status, status, status}})
}

func TestTask(t *testing.T) {
	t.Parallel()
	t.Run("sends_the_decision_with_who_and_why", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.openRun(startertest.RunOf(run.Held, loaded, broken))
		code, stdout, stderr := w.starter(t, "task", "skip", "2022-10-18", "clean_pin", "--reason", "not needed today")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "Task clean_pin of 2022-10-18: skip.")
		require.Len(t, w.temporal.updates, 1)
		require.Equal(t, "pinflow.pipeline.2022-10-18", w.temporal.updates[0].WorkflowID)
		require.Equal(t, run.DecideUpdate, w.temporal.updates[0].UpdateName)
		require.Equal(t, []any{run.Decision{Task: "clean_pin", Choice: run.SkipTask, By: "ann@desk", Reason: "not needed today"}}, w.temporal.updates[0].Args)
	})

	t.Run("a_refusal_is_shown_as_the_run_says_it", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.openRun(underway)
		w.temporal.updateErr = errors.New("task load is success: only a held task waits for a decision; held: none")
		code, _, stderr := w.starter(t, "task", "retry", "2022-10-18", "load", "--reason", "x")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "only a held task waits for a decision; held: none")
	})

	t.Run("of_a_run_that_has_ended_is_a_rerun", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.ran(t, bad)
		code, _, stderr := w.starter(t, "task", "retry", "2022-10-18", "clean_geo", "--reason", "x")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "starter rerun 2022-10-18 --from task")
		require.Empty(t, w.temporal.updates)
	})

	t.Run("wrong_use_does_nothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		code, _, stderr := w.starter(t, "task", "retry", "2022-10-99", "cleen")
		require.Equal(t, exit.Usage, code)
		for _, want := range []string{`"2022-10-99" is not a date`, "--reason is missing"} {
			require.Contains(t, stderr, want)
		}
		require.Empty(t, w.touched)
	})
}

func TestPause(t *testing.T) {
	t.Parallel()
	t.Run("and_resume_go_to_the_run", func(t *testing.T) {
		t.Parallel()
		for use, update := range map[string]string{"pause": run.PauseUpdate, "resume": run.ResumeUpdate} {
			w := newWorld()
			w.openRun(underway)
			code, _, stderr := w.starter(t, use, "2022-10-18", "--reason", "the source is being repaired")
			require.Zero(t, code, stderr)
			require.Equal(t, update, w.temporal.updates[0].UpdateName)
			require.Equal(t, []any{run.Pause{By: "ann@desk", Reason: "the source is being repaired"}}, w.temporal.updates[0].Args)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	t.Run("asks_temporal_and_notes_why", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.openRun(underway)
		code, stdout, stderr := w.starter(t, "cancel", "2022-10-18", "--reason", "wrong parameters")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "is being cancelled")
		require.Len(t, w.temporal.cancels, 1)
		require.Equal(t, "wrong parameters", w.temporal.cancels[0].GetReason())
		require.Equal(t, "ann@desk", w.temporal.cancels[0].GetIdentity())
		_, stdout, _ = w.starter(t, "note", "2022-10-18")
		require.Equal(t, "2022-10-19 12:00:00  ann@desk: cancelled: wrong parameters\n", stdout)
	})

	t.Run("needs_no_worker", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.openRun(underway)
		w.temporal.queryErr = context.DeadlineExceeded
		code, _, stderr := w.starter(t, "cancel", "2022-10-18")
		require.Zero(t, code, stderr)
		require.Len(t, w.temporal.cancels, 1)
	})
}

func TestNote(t *testing.T) {
	t.Parallel()
	t.Run("is_shown_with_the_run", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.ran(t, good)
		code, _, stderr := w.starter(t, "note", "2022-10-18", "the source was late")
		require.Zero(t, code, stderr)
		code, stdout, stderr := w.starter(t, "status", "2022-10-18")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "Notes:\n2022-10-19 12:00:00  ann@desk: the source was late\n")
		code, _, stderr = w.starter(t, "note", "2022-10-18", " ")
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, "has no text")
	})
}

func TestRerun(t *testing.T) {
	t.Parallel()
	t.Run("runs_these_tasks_again", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			args []string
			want dag.Tasks
		}{
			"from":   {[]string{"--from", "clean_geo"}, dag.Tasks{"clean_geo", "query"}},
			"only":   {[]string{"--only", "clean_geo"}, dag.Tasks{"clean_geo"}},
			"failed": {[]string{"--failed"}, dag.Tasks{"clean_geo", "query"}},
		} {
			t.Run(name, func(t *testing.T) {
				w := newWorld()
				w.ran(t, bad)
				w.starts(nil)
				code, _, stderr := w.starter(t, append([]string{"rerun", "2022-10-18", "--tag", "repair"}, c.args...)...)
				require.Zero(t, code, stderr)
				require.Equal(t, []any{run.Input{
					DAG: pipeline, Date: "2022-10-18", Trigger: run.Manual, Params: map[string]string{}, RerunTasks: c.want, TriggeredBy: "ann@desk", Tags: []string{"repair"},
				}}, w.temporal.started)
			})
		}
	})

	t.Run("says_what_to_do_instead", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			prepare func(*testing.T, *world)
			args    []string
			code    int
			want    string
		}{
			"nothing failed": {func(t *testing.T, w *world) { w.ran(t, good) }, []string{"--failed"}, exit.Failed, "no task of 2022-10-18 has failed"},
			"never run":      {func(*testing.T, *world) {}, []string{"--failed"}, exit.Failed, "has not run yet"},
			"open":           {func(_ *testing.T, w *world) { w.openRun(underway) }, []string{"--from", "load"}, exit.Failed, "`starter cancel 2022-10-18`"},
			"unknown task":   {func(t *testing.T, w *world) { w.ran(t, bad) }, []string{"--only", "cleen"}, exit.Usage, `no task "cleen" in this DAG`},
			"all ways":       {func(*testing.T, *world) {}, []string{"--failed", "--from", "load", "--only", "query"}, exit.Usage, "--from, --only, --failed cannot be combined"},
			"from and only":  {func(*testing.T, *world) {}, []string{"--from", "load", "--only", "query"}, exit.Usage, "--from, --only cannot be combined"},
			"two ways":       {func(*testing.T, *world) {}, []string{"--failed", "--from", "load"}, exit.Usage, "--from, --failed cannot be combined"},
			"no way":         {func(*testing.T, *world) {}, nil, exit.Usage, "name the tasks with --from, --only or --failed"},
		} {
			t.Run(name, func(t *testing.T) {
				w := newWorld()
				c.prepare(t, w)
				code, _, stderr := w.starter(t, append([]string{"rerun", "2022-10-18"}, c.args...)...)
				require.Equal(t, c.code, code, stderr)
				require.Contains(t, stderr, c.want)
				require.Empty(t, w.temporal.started)
			})
		}
	})
}
