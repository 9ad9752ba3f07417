package history

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/starter/systems"
)

// JobLog is the state and the output of a try's Databricks run.
type JobLog struct {
	// Source distinguishes these objects from the lines of workers.
	Source   string       `json:"source"`
	Task     string       `json:"task"`
	Try      int          `json:"try"`
	JobRunID int64        `json:"jobRunId"`
	Link     string       `json:"link,omitempty"`
	State    string       `json:"state,omitempty"`
	Message  string       `json:"message,omitempty"`
	Started  time.Time    `json:"started,omitzero"`
	Ended    time.Time    `json:"ended,omitzero"`
	Tasks    []JobTaskLog `json:"tasks,omitempty"`
	// Problem is why not everything is known.
	Problem string `json:"problem,omitempty"`
}

// JobTaskLog is the output of one task of a Databricks run.
type JobTaskLog struct {
	TaskKey string `json:"taskKey"`
	Output  string `json:"output,omitempty"`
	// Truncated reports whether Databricks kept only the start of the output.
	Truncated bool   `json:"truncated,omitempty"`
	Error     string `json:"error,omitempty"`
	Trace     string `json:"trace,omitempty"`
	Problem   string `json:"problem,omitempty"`
}

// JobLogs returns the logs of the Databricks runs that the filter selects. A failure of Databricks
// is in Problem: the lines of the workers are known without it.
func (r *Reader) JobLogs(ctx context.Context, latest Run, o LogFilter) []JobLog {
	all := jobRuns(latest, o)
	if len(all) == 0 {
		return nil
	}
	ws, err := r.Systems.Workspace()
	for i := range all {
		if err == nil {
			err = all[i].read(ctx, ws)
		}
		if err != nil { // the next request would fail, too, and take its time
			all[i].Problem = "Databricks is not available: " + err.Error()
		}
	}
	return all
}

// jobRuns returns the Databricks runs of the tasks and tries that the filter selects.
func jobRuns(latest Run, o LogFilter) []JobLog {
	var all []JobLog
	add := func(task string, try int, id int64, link string) {
		if id != 0 && (o.Try == 0 || try == o.Try) && !slices.ContainsFunc(all, func(l JobLog) bool { return l.JobRunID == id }) {
			all = append(all, JobLog{Source: "databricks", Task: task, Try: try, JobRunID: id, Link: link})
		}
	}
	for _, task := range latest.Tasks {
		if o.Task != "" && task.ID != o.Task {
			continue
		}
		for _, try := range task.History {
			add(task.ID, try.Number, try.JobRunID, try.Link)
		}
		add(task.ID, task.Tries, task.JobRunID, task.Link)
	}
	return all
}

// read reads a Databricks run and its outputs. What Databricks no longer knows is in Problem; the
// error is about Databricks as a whole.
func (l *JobLog) read(ctx context.Context, ws *systems.Workspace) error {
	found, err := ws.Runs.GetRun(ctx, jobs.GetRunRequest{RunId: l.JobRunID})
	if err != nil {
		return missingRun(err, &l.Problem)
	}
	l.State, l.Message = jobState(found)
	l.Started, l.Ended = millis(found.StartTime), millis(found.EndTime)
	if found.RunPageUrl != "" {
		l.Link = found.RunPageUrl
	}
	if l.Ended.IsZero() {
		return nil
	}
	for _, task := range found.Tasks {
		log := JobTaskLog{TaskKey: task.TaskKey}
		// The API has no output of a run with tasks, only those of its tasks.
		output, err := ws.Runs.GetRunOutput(ctx, jobs.GetRunOutputRequest{RunId: task.RunId})
		if err != nil {
			if err := missingRun(err, &log.Problem); err != nil {
				return err
			}
		} else {
			log.take(output)
		}
		l.Tasks = append(l.Tasks, log)
	}
	return nil
}

func (l *JobTaskLog) take(output *jobs.RunOutput) {
	l.Error, l.Trace, l.Output, l.Truncated = output.Error, output.ErrorTrace, output.Logs, output.LogsTruncated
	if n := output.NotebookOutput; n != nil {
		l.Output, l.Truncated = n.Result, n.Truncated
	}
}

// missingRun describes the failure of a request about one run in problem, and returns any other
// error.
func missingRun(err error, problem *string) error {
	if errors.Is(err, apierr.ErrNotFound) {
		*problem = "Databricks no longer has this run: it keeps runs for 60 days, unless they are deleted"
		return nil
	}
	err = databricks.Classify(err)
	var response *apierr.APIError
	if errors.As(err, &response) && !fault.Unusable(err) {
		*problem = "Databricks rejected the request: " + response.Message
		return nil
	}
	return err
}

// jobState returns the result of a run or, without one, its place in the life cycle. Versions of
// the API differ in the fields that they fill.
func jobState(found *jobs.Run) (state, message string) {
	if s := found.State; s != nil && s.LifeCycleState != "" {
		if state = string(s.ResultState); state == "" {
			state = string(s.LifeCycleState)
		}
		return state, s.StateMessage
	}
	if s := found.Status; s != nil {
		if end := s.TerminationDetails; end != nil {
			return string(end.Code), end.Message
		}
		return string(s.State), ""
	}
	return "UNKNOWN", ""
}

// millis returns a time of the Jobs API, in milliseconds since 1970; 0 is none.
func millis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
