package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/listing"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/tasklog"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/systems"
)

// fakeJobs knows runs by their ids. The run of a task has ten times the id.
type fakeJobs struct {
	runs    map[int64]*jobs.Run
	outputs map[int64]*jobs.RunOutput
	listed  []jobs.BaseRun // the latest first
	err     error
	asked   int
	// cancelled holds the runs that were cancelled. They end after having been asked for so often.
	cancelled []int64
	endsAfter int
	cancelErr error
}

func (f *fakeJobs) CancelRun(_ context.Context, r jobs.CancelRun) (*jobs.WaitGetRunJobTerminatedOrSkipped[struct{}], error) {
	f.cancelled = append(f.cancelled, r.RunId)
	return nil, f.cancelErr
}

func (f *fakeJobs) ListRuns(context.Context, jobs.ListRunsRequest) listing.Iterator[jobs.BaseRun] {
	all := listing.SliceIterator[jobs.BaseRun](f.listed)
	return &all
}

func (f *fakeJobs) GetRun(_ context.Context, r jobs.GetRunRequest) (*jobs.Run, error) {
	f.asked++
	if f.err != nil {
		return nil, f.err
	}
	run, ok := f.runs[r.RunId]
	if !ok {
		return nil, apierr.ErrNotFound
	}
	if slices.Contains(f.cancelled, r.RunId) && f.asked > f.endsAfter {
		return jobEnded(r.RunId, jobs.RunResultStateCanceled, 0, 40), nil
	}
	return run, nil
}

func (f *fakeJobs) GetRunOutput(_ context.Context, r jobs.GetRunOutputRequest) (*jobs.RunOutput, error) {
	output, ok := f.outputs[r.RunId]
	if !ok {
		return nil, apierr.ErrNotFound
	}
	return output, nil
}

// jobEnded is a run on Databricks that took the seconds from to.
func jobEnded(id int64, result jobs.RunResultState, from, to int) *jobs.Run {
	return &jobs.Run{
		RunId: id, RunPageUrl: fmt.Sprintf("https://workspace/?o=1#job/runs/%d", id), StartTime: at(from).UnixMilli(), EndTime: at(to).UnixMilli(),
		State: &jobs.RunState{LifeCycleState: jobs.RunLifeCycleStateTerminated, ResultState: result},
		Tasks: []jobs.RunTask{{TaskKey: "clean_geo-1234", RunId: 10 * id}},
	}
}

// shipped puts a log into the world's bucket: its lines as time (in seconds), level, message and
// further fields.
func (w *world) shipped(t *testing.T, log tasklog.Name, lines ...[]any) {
	t.Helper()
	var body strings.Builder
	for _, line := range lines {
		fields := map[string]any{
			"time": at(line[0].(int)), "level": line[1], "msg": line[2], "dag": log.DAG, "logical_date": log.Date, "task": log.Task, "try": log.Try,
			"activity": log.Activity, "activity_id": log.ActivityID, "attempt": log.Attempt, "run_id": log.RunID, "workflow_id": "w",
		}
		for i := 3; i < len(line); i += 2 {
			fields[line[i].(string)] = line[i+1]
		}
		encoded, err := json.Marshal(fields)
		require.NoError(t, err)
		body.Write(append(encoded, '\n'))
	}
	w.write(t, log.Key(), []byte(body.String()))
}

func logOf(runID, task string, try int, activity string, id, attempt int) tasklog.Name {
	return tasklog.Name{DAG: pipeline, Date: "2022-10-18", RunID: runID, Task: task, Try: try, Activity: activity, ActivityID: fmt.Sprint(id), Attempt: attempt}
}

// logged is a world with the repaired run, the lines of its workers, and its runs on Databricks.
func logged(t *testing.T) *world {
	w := newWorld()
	entry := repaired()
	entry.Tasks[2].History[0].JobRunID, entry.Tasks[2].History[1].JobRunID, entry.Tasks[2].JobRunID = 7, 8, 8
	entry.Tasks[1].History[0].JobRunID = 6
	w.record(t, entry)
	w.shipped(t, logOf("r1", "load", 2, "LandPartitions", 5, 1), []any{0, "INFO", "activity starts"}, []any{12, "INFO", "activity done", "took", "12.004s"})
	w.shipped(t, logOf("r1", "clean_geo", 2, "WaitNotebook", 40, 3),
		[]any{200, "INFO", "activity starts"},
		[]any{210, "WARN", "Databricks does not tell the run's state; asking on.", "run", 8, "link", "https://workspace/?o=1#job/runs/8", "error", "429 Too Many Requests"},
		[]any{399, "WARN", "activity failed", "took", "3m19s", "error", "clean_geo try 2 ended as FAILED\n[DELTA_CONCURRENT_APPEND] another write came first"},
	)
	w.shipped(t, logOf("r1", "clean_geo", 1, "StartNotebook", 30, 1), []any{82, "INFO", "activity starts"}, []any{83, "INFO", "activity done", "took", "1s"})
	w.shipped(t, logOf("r0", "clean_user", 1, "StartNotebook", 30, 1), []any{-3600, "INFO", "activity done", "took", "1s"})
	w.shipped(t, logOf("r00", "clean_user", 1, "StartNotebook", 30, 1), []any{-9000, "INFO", "of a run before that, which counts no more"})
	w.shipped(t, logOf("r0", "clean_geo", 1, "StartNotebook", 30, 1), []any{-3600, "INFO", "of a run that counts no more"})
	w.runs = &fakeJobs{
		runs: map[int64]*jobs.Run{7: jobEnded(7, jobs.RunResultStateSuccess, 82, 180), 8: jobEnded(8, jobs.RunResultStateFailed, 190, 399)},
		outputs: map[int64]*jobs.RunOutput{
			70: {NotebookOutput: &jobs.NotebookOutput{Result: "merged 9006 rows", Truncated: true}},
			80: {Error: "[DELTA_CONCURRENT_APPEND] another write came first", ErrorTrace: "at statement 4:\nMERGE INTO geo USING cleaned ON geo.ind = cleaned.ind WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"},
		},
	}
	return w
}

func TestLogs(t *testing.T) {
	t.Run("merges_lines_and_adds_what_databricks_has", func(t *testing.T) {
		code, stdout, stderr := logged(t).view(t, "logs 2022-10-18")
		require.Zero(t, code, stderr)
		golden(t, "logs", stdout)
		require.NotContains(t, stdout, "counts no more")

		w := logged(t)
		w.color = true
		_, stdout, _ = w.view(t, "logs 2022-10-18")
		golden(t, "logs-color", stdout)
	})

	t.Run("keeps_a_line_a_line_in_a_pipe", func(t *testing.T) {
		t.Setenv("COLUMNS", "")
		_, stdout, _ := logged(t).starter(t, "logs", "2022-10-18", "clean_geo", "--try", "2")
		golden(t, "logs-pipe", stdout)
	})

	t.Run("for_programs_are_the_lines_as_they_are", func(t *testing.T) {
		t.Setenv("COLUMNS", "80")
		w := logged(t)
		code, stdout, _ := w.starter(t, "logs", "2022-10-18", "clean_geo", "-o", "json")
		require.Zero(t, code)
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		require.Len(t, lines, 5+2, "a line each, and an object for each run on Databricks")
		require.Equal(t, strings.Split(string(w.bucket.Body(logOf("r1", "clean_geo", 2, "WaitNotebook", 40, 3).Key())), "\n")[:3], lines[2:5])
		var last history.JobLog
		require.NoError(t, json.Unmarshal([]byte(lines[6]), &last))
		require.Equal(t, []any{"databricks", "clean_geo", 2, int64(8), "FAILED"}, []any{last.Source, last.Task, last.Try, last.JobRunID, last.State})
		require.Contains(t, last.Tasks[0].Error, "DELTA_CONCURRENT_APPEND")
	})

	t.Run("survives_what_databricks_does_not_tell", func(t *testing.T) {
		for name, row := range map[string]struct {
			runs systems.JobRuns
			down error
			want string
		}{
			"forgotten":   {&fakeJobs{}, nil, "Databricks no longer has this run"},
			"unreachable": {&fakeJobs{err: &apierr.APIError{StatusCode: 503, Message: "away"}}, nil, "Databricks is not available"},
			"refused":     {&fakeJobs{err: &apierr.APIError{StatusCode: 400, Message: "no such thing"}}, nil, "no such thing"},
			"no settings": {nil, &fault.Error{Kind: fault.Unreachable, What: "cannot reach Databricks", Next: "set DATABRICKS_HOST and DATABRICKS_TOKEN", Err: errors.New("none")}, "set DATABRICKS_HOST"},
		} {
			t.Run(name, func(t *testing.T) {
				w := logged(t)
				if w.runs = row.runs; row.down != nil {
					w.down["workspace"] = row.down
				}
				code, stdout, stderr := w.view(t, "logs 2022-10-18 clean_geo")
				require.Zero(t, code, stderr)
				require.Contains(t, stdout, "activity failed", "the worker's lines are there all the same")
				require.Contains(t, strings.Join(strings.Fields(stdout), " "), row.want)
				if fake, ok := row.runs.(*fakeJobs); ok && name == "unreachable" {
					require.Equal(t, 1, fake.asked, "it is not asked again and again")
				}
			})
		}
	})

	t.Run("follows_until_the_run_has_ended", func(t *testing.T) {
		w := newWorld()
		log := logOf("r1", "clean_pin", 1, "WaitNotebook", 40, 1)
		w.shipped(t, log, []any{1, "INFO", "one"})
		looks := 0
		w.bucket.FailBefore(func(request, _ string) error { // a worker replaces the object by one with more lines
			if request != "list" {
				return nil
			}
			switch looks++; looks {
			case 2:
				w.shipped(t, log, []any{1, "INFO", "one"}, []any{2, "INFO", "two"})
			case 3:
				w.shipped(t, log, []any{1, "INFO", "one"}, []any{2, "INFO", "two"}, []any{3, "INFO", "three"})
			}
			return nil
		})
		ended := good
		w.temporal.add("pinflow.pipeline.2022-10-18", &fakeExecution{runID: "r1", status: running, answers: []any{underway, underway, ended, ended}})
		code, stdout, stderr := w.view(t, "logs 2022-10-18 clean_pin -f")
		require.Zero(t, code, stderr)
		var said []string
		for _, line := range strings.Split(stdout, "\n") {
			if _, message, ok := strings.Cut(line, "WaitNotebook: "); ok {
				said = append(said, message)
			}
		}
		require.Equal(t, []string{"one", "two", "three"}, said, "each line once")
	})

	t.Run("says_that_there_are_none", func(t *testing.T) {
		w := newWorld()
		w.record(t, recorded("2022-10-18", run.Manual, 10))
		code, stdout, stderr := w.view(t, "logs 2022-10-18")
		require.Zero(t, code)
		require.Empty(t, stdout)
		require.Contains(t, stderr, "No worker has written lines of this run.")

		code, _, stderr = w.view(t, "logs 2022-10-17")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "2022-10-17 has not run yet")
	})

	t.Run("refuses_wrong_use", func(t *testing.T) {
		w := logged(t)
		for line, reason := range map[string]string{
			"logs":                       "name a date as YYYY-MM-DD",
			"logs 2022-13-01":            "is not a date",
			"logs 2022-10-18 clean":      `no task "clean"; its tasks are load, clean_pin`,
			"logs 2022-10-18 load extra": "accepts at most 2 arg",
			"logs 2022-10-18 --try 0":    "--try 0",
		} {
			code, stdout, stderr := w.view(t, line)
			require.Equal(t, exit.Usage, code, line)
			require.Contains(t, stderr, reason)
			require.Empty(t, stdout)
		}
	})
}
