package workflows

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

type converted = converter.EncodedValues

// lake mocks Kafka, S3 and Databricks without faults. A test changes what it is about.
type lake struct {
	mu       sync.Mutex
	partial  map[string]bool // topics whose plan is partial
	until    map[string]time.Time
	landed   []string
	started  []activities.StartNotebookInput
	finishes func(in activities.StartNotebookInput) error // how a notebook ends
	runs     map[int64]activities.StartNotebookInput
}

func newLake() *lake {
	return &lake{
		partial: map[string]bool{}, until: map[string]time.Time{}, runs: map[int64]activities.StartNotebookInput{},
		finishes: func(activities.StartNotebookInput) error { return nil },
	}
}

func (l *lake) mock(env *testsuite.TestWorkflowEnvironment) {
	env.OnActivity(steps.PlanLanding, mock.Anything, mock.Anything).Return(func(_ context.Context, in landing.PlanInput) (landing.Plan, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return landing.Plan{Topic: "u." + in.Topic, Date: in.Date, Partial: l.partial[in.Topic], Until: l.until[in.Topic], Ranges: []landing.Range{
			{Partition: 0, Start: 0, End: 10}, {Partition: 1, Start: 5, End: 5}, {Partition: 2, Start: 7, End: 9},
		}, Groups: [][]landing.Range{{{Partition: 0, Start: 0, End: 10}}, {{Partition: 2, Start: 7, End: 9}}}}, nil
	}).Times(3)
	env.OnActivity(steps.LandPartitions, mock.Anything, mock.Anything).Return(func(_ context.Context, in landing.PartitionsInput) (landing.PartitionsSummary, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, r := range in.Ranges {
			l.landed = append(l.landed, fmt.Sprintf("%s/%d [%d,%d)", in.Topic, r.Partition, r.Start, r.End))
		}
		return landing.PartitionsSummary{Records: in.Offsets()}, nil
	}).Times(6) // two groups for each topic
	env.OnActivity(steps.WriteManifest, mock.Anything, mock.Anything).Return(func(_ context.Context, in landing.ManifestInput) (landing.ManifestSummary, error) {
		var records int64
		for _, r := range in.Plan.Ranges {
			records += r.End - r.Start
		}
		return landing.ManifestSummary{URI: "s3://b/manifests/" + in.Plan.Topic, Records: records}, nil
	}).Times(3)
	l.mockNotebooks(env)
}

func (l *lake) mockNotebooks(env *testsuite.TestWorkflowEnvironment) {
	env.OnActivity(steps.StartNotebook, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.StartNotebookInput) (activities.NotebookRun, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.started = append(l.started, in)
		id := int64(len(l.started))
		l.runs[id] = in
		return activities.NotebookRun{RunID: id, Link: fmt.Sprintf("https://databricks/%d", id)}, nil
	})
	env.OnActivity(steps.WaitNotebook, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.WaitNotebookInput) (activities.NotebookResult, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return activities.NotebookResult{Link: in.Run.Link}, l.finishes(l.runs[in.Run.RunID])
	})
}

// starts returns the tries of a task that started a notebook.
func (l *lake) starts(task string) []int {
	var tries []int
	for _, in := range l.started {
		if in.Task == task {
			tries = append(tries, in.Try)
		}
	}
	return tries
}

func TestPipeline(t *testing.T) {
	t.Run("lands_all_topics_then_runs_the_notebooks", func(t *testing.T) {
		l := newLake()
		p := play(t, daily(), run.Input{DAG: pipelineDAG}, l.mock)
		require.NoError(t, p.err)
		require.ElementsMatch(t, []string{
			"u.pin/0 [0,10)", "u.pin/2 [7,9)",
			"u.geo/0 [0,10)", "u.geo/2 [7,9)",
			"u.user/0 [0,10)", "u.user/2 [7,9)",
		}, l.landed)
		require.Len(t, l.started, 5)
		require.Equal(t, "load", l.started[0].Notebook)
		require.Equal(t, "query", l.started[4].Notebook)
		load := p.task("load")
		require.EqualValues(t, 36, load.Rows)
		require.Equal(t, "s3://b/manifests/u.pin", load.URI)
		require.Equal(t, "https://databricks/1", load.Link)
		require.Equal(t, someDay.End(), load.Until.UTC())
		require.False(t, p.status.Partial)
		require.Equal(t, "https://databricks/5", p.entry.Tasks[4].Link)
	})

	t.Run("a_partial_plan_makes_the_run_partial", func(t *testing.T) {
		l := newLake()
		today := dates.Of(noon)
		for topic, minutes := range map[string]int{"pin": 3, "geo": 1, "user": 2} {
			l.partial[topic], l.until[topic] = true, noon.Add(time.Duration(minutes)*time.Minute)
		}
		p := play(t, daily(), run.Input{DAG: pipelineDAG, Date: today}, l.mock)
		require.NoError(t, p.err)
		require.True(t, p.entry.Partial)
		require.Equal(t, noon.Add(time.Minute), p.entry.Until.UTC(), "the earliest of the topics")
	})

	t.Run("one_partial_topic_makes_the_run_partial", func(t *testing.T) {
		l := newLake()
		l.partial["pin"], l.until["pin"] = true, noon
		p := play(t, daily(), run.Input{DAG: pipelineDAG, Date: dates.Of(noon)}, l.mock)
		require.True(t, p.entry.Partial)
		require.Equal(t, noon, p.entry.Until.UTC())
	})
}

func TestNotebook(t *testing.T) {
	t.Run("parameters_of_the_run_override_the_operators", func(t *testing.T) {
		l := newLake()
		dag := dag.DAG{{ID: "a", Do: operators.Notebook{Name: "clean_pin", Params: map[string]string{"x": "operator", "y": "operator"}}}}
		p := play(t, dag, run.Input{Params: map[string]string{"x": "run", "invalid_followers": "null"}}, l.mockNotebooks)
		require.NoError(t, p.err)
		in := l.started[0]
		require.Equal(t, map[string]string{"x": "run", "y": "operator", "invalid_followers": "null"}, in.Params)
		require.Equal(t, "clean_pin", in.Notebook)
		require.Equal(t, testDAG, in.DAG)
		require.Equal(t, someDay, in.Date)
		require.Equal(t, "a", in.Task)
		require.Equal(t, 1, in.Try)
	})

	t.Run("a_new_try_starts_a_new_databricks_run", func(t *testing.T) {
		l := newLake()
		l.finishes = func(in activities.StartNotebookInput) error {
			if in.Task == "clean_geo" && in.Try == 1 {
				return temporal.NewNonRetryableApplicationError("DELTA_CONCURRENT_APPEND", failure.NotebookConflict, nil)
			}
			return nil
		}
		p := play(t, daily(), run.Input{DAG: pipelineDAG}, l.mock)
		require.NoError(t, p.err)
		require.Equal(t, []int{1, 2}, l.starts("clean_geo"), "a retry of the activity would rejoin the failed Databricks run")
		require.Equal(t, []int{1}, l.starts("clean_pin"))
		require.Equal(t, 2, p.task("clean_geo").Tries)
	})

	t.Run("a_broken_notebook_fails_its_task_alone", func(t *testing.T) {
		l := newLake()
		const message = "notebook clean_pin failed at statement 3, SELEC * FROM raw: [PARSE_SYNTAX_ERROR] Syntax error at or near 'SELEC'"
		l.finishes = func(in activities.StartNotebookInput) error {
			if in.Notebook == "clean_pin" {
				return temporal.NewNonRetryableApplicationError(message, failure.NotebookFailed, nil)
			}
			return nil
		}
		p := play(t, daily(), run.Input{DAG: pipelineDAG}, l.mock)
		require.ErrorContains(t, p.err, message)
		require.Equal(t, message, p.task("clean_pin").Error)
		require.NotEmpty(t, p.task("clean_pin").Link, "the page of the failed Databricks run")
		require.Equal(t, run.Success, p.task("clean_geo").State)
		require.Equal(t, run.Success, p.task("clean_user").State)
		require.Equal(t, run.UpstreamFailed, p.task("query").State)
		require.Empty(t, l.starts("query"))
		require.Contains(t, p.entry.Error, message)
	})

	t.Run("the_activity_is_retried_within_the_try", func(t *testing.T) {
		l := newLake()
		var calls journal[int]
		l.finishes = func(in activities.StartNotebookInput) error {
			if calls.Add(in.Try) < 4 {
				return errors.New("the worker died")
			}
			return nil
		}
		p := play(t, dag.DAG{{ID: "a", Tries: 1, Do: operators.Notebook{Name: "x"}}}, run.Input{}, l.mockNotebooks)
		require.NoError(t, p.err)
		require.Equal(t, []int{1, 1, 1, 1}, calls.All())
		require.Equal(t, []int{1}, l.starts("a"), "one Databricks run")
	})

	t.Run("cancelling_cancels_the_databricks_run", func(t *testing.T) {
		var waited, cancelled journal[activities.NotebookRun]
		over := make(chan struct{})
		t.Cleanup(func() { close(over) })
		p := play(t, dag.DAG{{ID: "a", Do: operators.Notebook{Name: "x"}}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.StartNotebook, mock.Anything, mock.Anything).Return(activities.NotebookRun{RunID: 42, Link: "l"}, nil).Once()
			env.OnActivity(steps.WaitNotebook, mock.Anything, mock.Anything).Return(func(ctx context.Context, in activities.WaitNotebookInput) (activities.NotebookResult, error) {
				waited.Add(in.Run)
				env.CancelWorkflow()
				<-over // the test environment does not cancel the context of activities
				return activities.NotebookResult{}, ctx.Err()
			}).Once()
			env.OnActivity(steps.CancelNotebook, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.CancelNotebookInput) error {
				cancelled.Add(in.Run)
				return nil
			}).Once()
		})
		require.True(t, temporal.IsCanceledError(p.err), "%v", p.err)
		require.Equal(t, []activities.NotebookRun{{RunID: 42, Link: "l"}}, waited.All())
		require.Equal(t, waited.All(), cancelled.All())
		require.Equal(t, 1, p.task("a").Tries)
	})
}

func TestLoad(t *testing.T) {
	t.Run("a_failed_topic_does_not_stop_the_others", func(t *testing.T) {
		l := newLake()
		var manifests journal[string]
		p := play(t, dag.DAG{{ID: "load", Tries: 1, Do: operators.Load{Topics: []string{"pin", "geo"}, Notebook: "load"}}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.PlanLanding, mock.Anything, landing.PlanInput{Topic: "pin", Date: someDay}).
				Return(landing.Plan{}, temporal.NewNonRetryableApplicationError("offsets 3 to 9 of u.pin are gone", failure.OffsetsGone, nil)).Once()
			env.OnActivity(steps.PlanLanding, mock.Anything, landing.PlanInput{Topic: "geo", Date: someDay}).
				Return(landing.Plan{Topic: "u.geo", Date: someDay}, nil).Once()
			env.OnActivity(steps.WriteManifest, mock.Anything, mock.Anything).Return(func(_ context.Context, in landing.ManifestInput) (landing.ManifestSummary, error) {
				manifests.Add(in.Plan.Topic)
				return landing.ManifestSummary{}, nil
			}).Once()
		})
		require.ErrorContains(t, p.err, "offsets 3 to 9 of u.pin are gone")
		require.Equal(t, []string{"u.geo"}, manifests.All())
		require.Empty(t, l.started, "a date that has not landed completely is not loaded")
	})

	t.Run("what_the_landing_remarks_is_a_warning_of_the_run", func(t *testing.T) {
		l := newLake()
		var accepted journal[*landing.Acceptance]
		load := dag.DAG{{ID: "load", Tries: 1, Do: operators.Load{Topics: []string{"pin"}, Notebook: "load"}}}
		in := run.Input{AcceptGaps: "the outage of Monday", TriggeredBy: "ann"}
		p := play(t, load, in, l.mockNotebooks, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.PlanLanding, mock.Anything, mock.Anything).Return(landing.Plan{Topic: "u.pin", Date: someDay}, nil).Once()
			env.OnActivity(steps.WriteManifest, mock.Anything, mock.Anything).Return(func(_ context.Context, in landing.ManifestInput) (landing.ManifestSummary, error) {
				accepted.Add(in.Accept)
				return landing.ManifestSummary{Records: 3, Remarks: []string{"u.pin lacks 7 offsets"}}, nil
			}).Once()
		})
		require.NoError(t, p.err)
		require.Equal(t, []*landing.Acceptance{{By: "ann", Reason: "the outage of Monday"}}, accepted.All())
		require.Equal(t, []string{"load: u.pin lacks 7 offsets"}, p.entry.Warnings)
		require.True(t, p.entry.Warned())
	})

	t.Run("an_optional_topic_may_be_missing", func(t *testing.T) {
		l := newLake()
		load := operators.Load{Topics: []string{"geo"}, Optional: []string{run.Post}, Notebook: "load"}
		p := play(t, dag.DAG{{ID: "load", Tries: 1, Do: load}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.PlanLanding, mock.Anything, landing.PlanInput{Topic: "geo", Date: someDay}).
				Return(landing.Plan{Topic: "u.geo", Date: someDay}, nil).Once()
			env.OnActivity(steps.PlanLanding, mock.Anything, landing.PlanInput{Topic: run.Post, Date: someDay, Optional: true}).
				Return(landing.Plan{Topic: "Pinterest_data", Date: someDay, Until: someDay.End(), Missing: true}, nil).Once()
			env.OnActivity(steps.WriteManifest, mock.Anything, mock.MatchedBy(func(in landing.ManifestInput) bool { return in.Plan.Topic == "u.geo" })).
				Return(landing.ManifestSummary{Records: 7}, nil).Once()
			l.mockNotebooks(env)
		})
		require.NoError(t, p.err)
		out := p.task("load").Outcome
		require.EqualValues(t, 7, out.Rows)
		require.Equal(t, someDay.End(), out.Until)
		require.False(t, out.Partial)
	})

	t.Run("a_failed_partition_writes_no_manifest", func(t *testing.T) {
		play(t, dag.DAG{{ID: "load", Tries: 1, Do: operators.Load{Topics: []string{"pin"}, Notebook: "load"}}}, run.Input{}, func(env *testsuite.TestWorkflowEnvironment) {
			env.OnActivity(steps.PlanLanding, mock.Anything, mock.Anything).Return(landing.Plan{Topic: "u.pin", Date: someDay, Ranges: []landing.Range{{Partition: 0, End: 1}, {Partition: 1, End: 1}}, Groups: [][]landing.Range{{{Partition: 0, End: 1}}, {{Partition: 1, End: 1}}}}, nil).Once()
			env.OnActivity(steps.LandPartitions, mock.Anything, mock.MatchedBy(func(in landing.PartitionsInput) bool { return in.Ranges[0].Partition == 0 })).
				Return(landing.PartitionsSummary{}, temporal.NewNonRetryableApplicationError("no", failure.AccessDenied, nil)).Once()
			env.OnActivity(steps.LandPartitions, mock.Anything, mock.MatchedBy(func(in landing.PartitionsInput) bool { return in.Ranges[0].Partition == 1 })).
				Return(landing.PartitionsSummary{}, nil).Once()
			env.OnActivity(steps.WriteManifest, mock.Anything, mock.Anything).Return(landing.ManifestSummary{}, nil).Never()
		})
	})
}
