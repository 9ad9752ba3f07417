package activities

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/notebooks"
)

// newNotebooks returns Notebooks with a workspace in memory and a fake clock.
func newNotebooks() (*Notebooks, *workspace, *hand) {
	jobs, hand := newWorkspace(), &hand{}
	return &Notebooks{
		Jobs: jobs, Deployment: run.DefaultDeployment, Schema: "main.pinterest", RawPath: "s3://pinflow/pinflow", Topics: run.Topics{UserID: "u", Posts: "posts"}, Folder: "/Shared/pinflow", Compute: "serverless",
		InvalidFollowers: "quarantine", clock: hand.clock(),
	}, jobs, hand
}

var cleanPin = StartNotebookInput{Notebook: "clean_pin", DAG: "pinterest-daily", Date: day, Task: "clean_pin", Try: 1, WorkflowID: "w", RunID: "run-a"}

func start(n *Notebooks, in StartNotebookInput) (NotebookRun, error) {
	return activitytest.Execute[NotebookRun](n.StartNotebook, in)
}

func TestStart(t *testing.T) {
	t.Run("submits_the_notebook_with_its_parameters", func(t *testing.T) {
		n, workspace, _ := newNotebooks()
		in := cleanPin
		in.Params = map[string]string{"invalid_followers": "null", "logical_date": "2022-10-17", "logical_dates": "2022-10-17", "run_id": "mine", "notebook_hash": "mine"}
		run, err := start(n, in)
		require.NoError(t, err)
		require.Equal(t, NotebookRun{
			RunID: 1, Link: "https://workspace/run/1", Notebook: "/Shared/pinflow/clean_pin",
			Hash: notebooks.Hash("-- Databricks notebook source\nSELECT '/Shared/pinflow/clean_pin'\n\n"),
		}, run)
		submitted := workspace.submitted[0]
		require.Equal(t, "pinflow pinterest-daily 2022-10-18 clean_pin try 1", submitted.RunName)
		require.Regexp(t, `^[0-9a-f]{64}$`, submitted.IdempotencyToken)
		require.Len(t, submitted.Tasks, 1)
		require.Equal(t, "clean_pin-"+submitted.IdempotencyToken[:16], submitted.Tasks[0].TaskKey)
		require.Equal(t, &jobs.NotebookTask{NotebookPath: "/Shared/pinflow/clean_pin", Source: jobs.SourceWorkspace, BaseParameters: map[string]string{
			"schema": "main.pinterest", "raw_path": "s3://pinflow/pinflow", "user_id": "u", "posts_topic": "posts", "invalid_followers": "null",
			"logical_date": "2022-10-18", "logical_dates": "2022-10-18", "run_id": "run-a", "notebook_hash": run.Hash,
		}}, submitted.Tasks[0].NotebookTask)
	})

	t.Run("retry_rejoins_the_run_and_a_new_try_is_a_new_run", func(t *testing.T) {
		n, workspace, _ := newNotebooks()
		workspace.script = []jobs.RunState{running}
		first, err := start(n, cleanPin)
		require.NoError(t, err)
		again, err := start(n, cleanPin)
		require.NoError(t, err)
		require.Equal(t, first, again)
		require.Empty(t, workspace.cancelled, "the own run is not cancelled")

		workspace.runs[1].states = []jobs.RunState{ended(jobs.RunResultStateFailed)}
		for i, change := range []func(*StartNotebookInput){
			func(in *StartNotebookInput) { in.Try = 2 },
			func(in *StartNotebookInput) { in.RunID = "run-b" }, // a rerun of the date, or a reset of its run
			func(in *StartNotebookInput) { in.Task = "clean_geo" },
		} {
			in := cleanPin
			change(&in)
			run, err := start(n, in)
			require.NoError(t, err)
			require.EqualValues(t, i+2, run.RunID)
		}
	})

	// The worker dies, or the answer is lost, after Databricks has started the run.
	t.Run("lost_answer_starts_no_second_run", func(t *testing.T) {
		n, workspace, _ := newNotebooks()
		workspace.script = []jobs.RunState{running}
		workspace.lost = func(string) error { return errors.New("connection reset by peer") }
		_, err := start(n, cleanPin)
		activitytest.RequireRetryable(t, err, "connection reset")
		workspace.lost = nil
		run, err := start(n, cleanPin)
		require.NoError(t, err)
		require.EqualValues(t, 1, run.RunID)
		require.Len(t, workspace.runs, 1)
		require.Empty(t, workspace.cancelled)
	})

	t.Run("cancels_another_active_run_of_the_task_and_date_first", func(t *testing.T) {
		n, workspace, _ := newNotebooks()
		workspace.script = []jobs.RunState{running}
		terminated := cleanPin
		terminated.RunID = "run-of-a-terminated-workflow" // its run has the very same name
		_, err := start(n, terminated)
		require.NoError(t, err)
		for _, other := range []StartNotebookInput{
			{Notebook: "clean_pin", DAG: "pinterest-daily", Date: day.Add(1), Task: "clean_pin", Try: 1},
			{Notebook: "clean_geo", DAG: "pinterest-daily", Date: day, Task: "clean_geo", Try: 1},
			{Notebook: "clean_pin", DAG: "other", Date: day, Task: "clean_pin", Try: 1},
		} {
			_, err := start(n, other)
			require.NoError(t, err)
		}
		workspace.calls = nil
		_, err = start(n, cleanPin)
		require.NoError(t, err)
		require.Equal(t, []int64{1}, workspace.cancelled)
		require.Equal(t, ended(jobs.RunResultStateCanceled), workspace.runs[1].states[0])
		require.Equal(t, []string{"list", "get", "cancel", "get", "get", "source", "submit", "get"}, workspace.calls, "it has ended before the new one starts")
	})

	// Two deployments may share a workspace, and run the same date of the same DAG.
	t.Run("leaves_the_runs_of_other_deployments_alone", func(t *testing.T) {
		prod, workspace, _ := newNotebooks()
		dev, _, _ := newNotebooks()
		dev.Jobs, dev.Deployment = workspace, "pinflow-dev"
		workspace.script = []jobs.RunState{running}
		for i, n := range []*Notebooks{prod, dev, prod, dev} {
			run, err := start(n, cleanPin)
			require.NoError(t, err)
			require.EqualValues(t, i%2+1, run.RunID, "each rejoins its own")
		}
		require.Empty(t, workspace.cancelled)
		again := cleanPin
		again.Try = 2
		_, err := start(dev, again)
		require.NoError(t, err)
		require.Equal(t, []int64{2}, workspace.cancelled)
	})

	// The Pools workflow, or a run, was terminated: its Databricks run still writes the table.
	t.Run("a_task_with_the_only_slot_of_its_pool_also_cancels_runs_of_other_dates", func(t *testing.T) {
		n, workspace, _ := newNotebooks()
		workspace.script = []jobs.RunState{running}
		for i := range 3 {
			other := cleanPin
			other.Date, other.WorkflowID = day.Add(1+i), string(day.Add(1+i))
			_, err := start(n, other)
			require.NoError(t, err)
		}
		in := cleanPin
		in.Alone, in.Beside = true, []dates.Date{day.Add(2)} // at work in a pool that another build has
		_, err := start(n, in)
		require.NoError(t, err)
		require.ElementsMatch(t, []int64{1, 3}, workspace.cancelled)
	})

	// Dates that go together are one Databricks run. Its name has the first and the last, its parameters
	// have all.
	t.Run("runs_a_notebook_once_for_several_dates", func(t *testing.T) {
		n, workspace, _ := newNotebooks()
		workspace.script = []jobs.RunState{running}
		group := cleanPin
		group.Others = []TryIdentity{{day.Add(4), "w4", "r4", 2}, {day.Add(1), "w1", "r1", 1}}
		_, err := start(n, group)
		require.NoError(t, err)
		_, err = start(n, group)
		require.NoError(t, err)
		require.Len(t, workspace.runs, 1)
		require.Equal(t, "pinflow pinterest-daily 2022-10-18..2022-10-22 clean_pin try 1", workspace.submitted[0].RunName)
		require.Equal(t, "2022-10-18,2022-10-19,2022-10-22", workspace.submitted[0].Tasks[0].NotebookTask.BaseParameters["logical_dates"])

		for name, change := range map[string]func(*StartNotebookInput){
			"fewer dates":    func(in *StartNotebookInput) { in.Others = in.Others[:1] },
			"a reset run":    func(in *StartNotebookInput) { in.Others = slices.Clone(in.Others); in.Others[0].RunID = "r9" },
			"another try":    func(in *StartNotebookInput) { in.Others = slices.Clone(in.Others); in.Others[1].Try = 3 },
			"only the first": func(in *StartNotebookInput) { in.Others = nil },
		} {
			in := group
			change(&in)
			before := len(workspace.runs)
			_, err := start(n, in)
			require.NoError(t, err)
			require.Len(t, workspace.runs, before+1, name)
			require.Len(t, workspace.cancelled, before, "%s: the run of before is left over", name)
		}
	})

	t.Run("a_group_in_a_pool_of_several_slots_leaves_the_runs_of_dates_that_it_does_not_have", func(t *testing.T) {
		n, workspace, _ := newNotebooks()
		workspace.script = []jobs.RunState{running}
		group := cleanPin
		group.Others = []TryIdentity{{day.Add(2), "w2", "r2", 1}}
		_, err := start(n, group)
		require.NoError(t, err)
		for _, days := range []int{1, 3} { // between its dates, and after them
			other := cleanPin
			other.Date, other.WorkflowID = day.Add(days), "other"
			_, err = start(n, other)
			require.NoError(t, err)
		}
		require.Empty(t, workspace.cancelled)
		again := cleanPin
		again.Date, again.WorkflowID = day.Add(2), "w2"
		_, err = start(n, again)
		require.NoError(t, err)
		require.Equal(t, []int64{1}, workspace.cancelled)
	})

	// The other date has started since this one asked which are at work beside it.
	t.Run("a_task_in_a_pool_of_several_slots_leaves_runs_of_other_dates", func(t *testing.T) {
		n, workspace, _ := newNotebooks()
		workspace.script = []jobs.RunState{running}
		other := cleanPin
		other.Date, other.WorkflowID = day.Add(1), string(day.Add(1))
		_, err := start(n, other)
		require.NoError(t, err)
		_, err = start(n, cleanPin)
		require.NoError(t, err)
		require.Empty(t, workspace.cancelled)
	})

	// The order to cancel comes while Submit is on its way: Databricks has made the run.
	t.Run("a_cancellation_does_not_interrupt_the_request", func(t *testing.T) {
		n, workspace, _ := newNotebooks()
		workspace.script = []jobs.RunState{running}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		workspace.submitting = func(ctx context.Context) error { cancel(); return ctx.Err() } // as the HTTP client does
		run, err := activitytest.ExecuteIn[NotebookRun](activitytest.EnvironmentIn(ctx), n.StartNotebook, cleanPin)
		require.NoError(t, err)
		require.EqualValues(t, 1, run.RunID, "the workflow has to cancel it")
		require.NotEmpty(t, run.Link)
	})

	t.Run("a_cancelled_start_starts_nothing", func(t *testing.T) {
		n, workspace, _ := newNotebooks()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := activitytest.ExecuteIn[NotebookRun](activitytest.EnvironmentIn(ctx), n.StartNotebook, cleanPin)
		require.Error(t, err)
		require.Empty(t, workspace.runs)
	})

	t.Run("waits_for_the_cancelled_run_to_end", func(t *testing.T) {
		n, workspace, hand := newNotebooks()
		workspace.script = []jobs.RunState{running}
		other := cleanPin
		other.Try = 2
		_, err := start(n, other)
		require.NoError(t, err)
		hand.onWait = func() {
			workspace.runs[1].states = []jobs.RunState{{LifeCycleState: jobs.RunLifeCycleStateTerminating}}
		}
		_, err = start(n, cleanPin)
		activitytest.RequireRetryable(t, err, "https://workspace/run/1")
		require.Len(t, workspace.submitted, 1)
		require.GreaterOrEqual(t, hand.waited(), cancelTimeout)
	})

	t.Run("errors", func(t *testing.T) {
		answer := func(status int, message string) error { return &apierr.APIError{StatusCode: status, Message: message} }
		tests := []struct {
			name  string
			fault error
			kind  string // "" is retryable
			words string
		}{
			{"wrong token", answer(403, "Invalid access token"), failure.AccessDenied, "DATABRICKS_TOKEN"},
			{"unknown token", answer(401, "Who is asking?"), failure.AccessDenied, "DATABRICKS_TOKEN"},
			{"no such notebook", notFound("no notebook"), failure.Missing, "starter notebooks push"},
			{"no such cluster", answer(400, "Cluster x does not exist"), failure.Settings, "PINFLOW_COMPUTE"},
			{"too many requests", answer(429, "slow down"), "", "slow down"},
			{"server error", answer(500, "oops"), "", "oops"},
			{"unavailable", answer(503, "soon"), "", "soon"},
			{"connection", errors.New("connection refused"), "", "connection refused"},
		}
		for _, request := range []string{"list", "submit"} {
			for _, test := range tests {
				t.Run(request+" "+test.name, func(t *testing.T) {
					n, workspace, _ := newNotebooks()
					workspace.fault = func(at string) error {
						if at == request {
							return test.fault
						}
						return nil
					}
					_, err := start(n, cleanPin)
					if test.kind == "" {
						activitytest.RequireRetryable(t, err, test.words)
					} else {
						activitytest.RequireNonRetryable(t, err, test.kind, test.words)
					}
					require.Empty(t, workspace.submitted)
				})
			}
		}
	})

	t.Run("faults_of_page_or_source_do_not_fail_a_run", func(t *testing.T) {
		n, workspace, _ := newNotebooks()
		workspace.fault = func(request string) error {
			if request == "get" || request == "source" {
				return errors.New("timeout")
			}
			return nil
		}
		run, err := start(n, cleanPin)
		require.NoError(t, err)
		require.Equal(t, NotebookRun{RunID: 1, Notebook: "/Shared/pinflow/clean_pin"}, run)
	})

	t.Run("long_task_names_fit_into_the_task_key", func(t *testing.T) {
		n, workspace, _ := newNotebooks()
		in := cleanPin
		in.Task = strings.Repeat("a", 300)
		_, err := start(n, in)
		require.NoError(t, err)
		require.Len(t, workspace.submitted[0].Tasks[0].TaskKey, 100)
	})
}

func TestCompute(t *testing.T) {
	t.Run("is_configured", func(t *testing.T) {
		place := func(text string) jobs.SubmitTask {
			n, workspace, _ := newNotebooks()
			n.Compute = text
			_, err := start(n, cleanPin)
			require.NoError(t, err, text)
			return workspace.submitted[0].Tasks[0]
		}
		task := place("serverless")
		require.True(t, task.DisableAutoOptimization, "serverless would repeat failed tasks by itself")
		require.Nil(t, task.NewCluster)
		require.Equal(t, "abc", place("warehouse:abc").NotebookTask.WarehouseId)
		require.Equal(t, "0123-abc", place("cluster:0123-abc").ExistingClusterId)
		task = place(`{"spark_version": "17.3.x-scala2.13", "num_workers": 2}`)
		require.Equal(t, 2, task.NewCluster.NumWorkers)

		for _, wrong := range []string{"warehouse", "warehouse:", "cluster:", "big", `{"num_workers":`} {
			n, workspace, _ := newNotebooks()
			n.Compute = wrong
			_, err := start(n, cleanPin)
			activitytest.RequireNonRetryable(t, err, failure.Settings, "PINFLOW_COMPUTE")
			require.Empty(t, workspace.calls)
		}
	})
}

func notFound(message string) error {
	return &missing{APIError: &apierr.APIError{StatusCode: 404, ErrorCode: "RESOURCE_DOES_NOT_EXIST", Message: message}}
}

// notFound returns the error that the SDK makes of an answer 404.
type missing struct{ *apierr.APIError }

func (m *missing) Unwrap() []error { return []error{m.APIError, apierr.ErrNotFound} }
