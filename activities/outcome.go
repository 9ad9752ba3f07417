package activities

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/failure"
)

const (
	// maxErrorText and maxTraceText limit the text of a failure in the history, in bytes. Temporal
	// truncates larger messages. The page of the run has the whole text.
	maxErrorText = 1_500
	maxTraceText = 2_500
	// outputAttempts is how often the output of a failed task is requested. Without it the failure
	// has only the message of the run.
	outputAttempts = 4
)

// NotebookFailure is the details of a failure.NotebookFailed or failure.NotebookConflict.
type NotebookFailure struct {
	RunID int64  `json:"runId"`
	Link  string `json:"link"`
	State string `json:"state"` // the result state of Databricks, for example FAILED, TIMEDOUT or CANCELED
	// Tasks holds the tasks that caused the failure; none if the run started none.
	Tasks []NotebookTaskFailure `json:"tasks"`
}

// NotebookTaskFailure is a failed task of a Databricks run. Error and Trace, which has the failed
// statement, are truncated to a few kB.
type NotebookTaskFailure struct {
	Task  string `json:"task"`
	State string `json:"state"`
	Error string `json:"error"`
	Trace string `json:"trace,omitempty"`
}

// hasEnded reports whether a run is in a final state: in State, or in Status for newer versions of
// the API.
func hasEnded(run *jobs.Run) bool {
	if run.State != nil {
		switch run.State.LifeCycleState {
		case jobs.RunLifeCycleStateTerminated, jobs.RunLifeCycleStateSkipped, jobs.RunLifeCycleStateInternalError:
			return true
		case "":
		default:
			return false
		}
	}
	return run.Status != nil && run.Status.State == jobs.RunLifecycleStateV2StateTerminated
}

// resultState returns the result of a run that has ended.
func resultState(run *jobs.Run) string {
	switch {
	case run.State != nil && run.State.ResultState != "":
		return string(run.State.ResultState)
	case run.State != nil && run.State.LifeCycleState != "":
		return string(run.State.LifeCycleState) // SKIPPED and INTERNAL_ERROR have no result state
	case run.Status != nil && run.Status.TerminationDetails != nil:
		return string(run.Status.TerminationDetails.Code)
	}
	return "UNKNOWN"
}

func succeeded(run *jobs.Run, allowFailures bool) bool {
	state := jobs.RunResultState(resultState(run))
	return state == jobs.RunResultStateSuccess || allowFailures && state == jobs.RunResultStateSuccessWithFailures
}

// result returns the result of WaitNotebook for a run that has ended.
func (n *Notebooks) result(ctx context.Context, in WaitNotebookInput, run *jobs.Run) (NotebookResult, error) {
	if succeeded(run, in.AllowFailures) {
		return NotebookResult{Link: link(in.Run, run), Duration: duration(run)}, nil
	}
	details := NotebookFailure{RunID: in.Run.RunID, Link: link(in.Run, run), State: resultState(run)}
	for _, task := range run.Tasks {
		if task.State != nil && task.State.ResultState == jobs.RunResultStateSuccess {
			continue
		}
		details.Tasks = append(details.Tasks, n.taskFailure(ctx, task))
	}
	message := details.message(run)
	kind := failure.NotebookFailed
	if concurrent.MatchString(message) {
		kind = failure.NotebookConflict
	}
	return NotebookResult{}, temporal.NewNonRetryableApplicationError(message, kind, nil, details)
}

// concurrent matches the errors of a Delta table that another transaction changed meanwhile: error
// classes, and the exceptions of older runtimes.
var concurrent = regexp.MustCompile(`DELTA_(CONCURRENT_\w+|METADATA_CHANGED|PROTOCOL_CHANGED)|Concurrent(Append|DeleteRead|DeleteDelete|Write|Transaction)Exception|MetadataChangedException|ProtocolChangedException`)

func duration(run *jobs.Run) time.Duration {
	if run.RunDuration > 0 {
		return time.Duration(run.RunDuration) * time.Millisecond
	}
	if run.EndTime > run.StartTime && run.StartTime > 0 {
		return time.Duration(run.EndTime-run.StartTime) * time.Millisecond
	}
	return time.Duration(run.SetupDuration+run.ExecutionDuration+run.CleanupDuration) * time.Millisecond
}

func (n *Notebooks) taskFailure(ctx context.Context, task jobs.RunTask) NotebookTaskFailure {
	failure := NotebookTaskFailure{Task: taskName(task)}
	if task.State != nil {
		failure.State, failure.Error = string(task.State.ResultState), task.State.StateMessage
	}
	output, err := n.output(ctx, task.RunId)
	if err != nil {
		failure.Error = cut(strings.TrimSpace(failure.Error+"\n(cannot read its output: "+err.Error()+")"), maxErrorText)
		return failure
	}
	if output.Error != "" {
		failure.Error = output.Error
	}
	failure.Error = cut(readable(failure.Error), maxErrorText)
	failure.Trace = cut(readable(output.ErrorTrace), maxTraceText)
	return failure
}

// taskName returns the id of the DAG's task: StartNotebook put it before the token in the task key.
func taskName(task jobs.RunTask) string {
	if end := strings.LastIndexByte(task.TaskKey, '-'); end > 0 {
		return task.TaskKey[:end]
	}
	return task.TaskKey
}

func (n *Notebooks) output(ctx context.Context, runID int64) (output *jobs.RunOutput, err error) {
	pace := pacing{}
	for range outputAttempts {
		err = n.call(ctx, func(ctx context.Context) error {
			output, err = n.Jobs.GetRunOutput(ctx, runID)
			return err
		})
		if err == nil || isPermanent(err) {
			return output, err
		}
		if err := n.rest(ctx, max(pace.next(), min(retryAfter(err), heartbeatEvery))); err != nil {
			return nil, err
		}
	}
	return output, err
}

func (f NotebookFailure) message(run *jobs.Run) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s ended as %s", run.RunName, f.State)
	for _, task := range f.Tasks {
		fmt.Fprintf(&text, "\ntask %s: %s", task.Task, task.Error)
		if task.Trace != "" && !strings.Contains(task.Error, task.Trace) {
			fmt.Fprintf(&text, "\n%s", task.Trace)
		}
		if text.Len() > maxErrorText+maxTraceText {
			break
		}
	}
	if len(f.Tasks) == 0 && run.State != nil && run.State.StateMessage != "" {
		fmt.Fprintf(&text, ": %s", run.State.StateMessage)
	}
	return cut(text.String(), maxErrorText+maxTraceText) + "\nrun page: " + f.Link
}

// escapes matches terminal colours, which traces of notebooks contain.
var escapes = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

func readable(text string) string {
	return strings.TrimSpace(strings.ToValidUTF8(escapes.ReplaceAllString(text, ""), "\ufffd"))
}

// cut shortens a text to that many bytes, between characters, and marks that it did.
func cut(text string, limit int) string {
	const mark = " … (cut)"
	if len(text) <= limit {
		return text
	}
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}
