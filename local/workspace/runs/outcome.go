package runs

import (
	"fmt"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/pinflow/pinflow/local/workspace/api"
)

// outcome is the end of a run or task. The API has it twice: in the deprecated state (life cycle
// and result) and in the status (code and type). Neither follows from the other.
type outcome struct {
	LifeCycle jobs.RunLifeCycleState   `json:"life_cycle,omitempty"`
	Result    jobs.RunResultState      `json:"result,omitempty"`
	Code      jobs.TerminationCodeCode `json:"code,omitempty"`
	Type      jobs.TerminationTypeType `json:"type,omitempty"`
	Message   string                   `json:"message,omitempty"`
}

var (
	succeeded = outcome{
		LifeCycle: jobs.RunLifeCycleStateTerminated, Result: jobs.RunResultStateSuccess,
		Code: jobs.TerminationCodeCodeSuccess, Type: jobs.TerminationTypeTypeSuccess,
	}
	canceled = outcome{
		LifeCycle: jobs.RunLifeCycleStateTerminated, Result: jobs.RunResultStateCanceled,
		Code: jobs.TerminationCodeCodeUserCanceled, Type: jobs.TerminationTypeTypeClientError, Message: "Run cancelled.",
	}
	timedOut = outcome{
		LifeCycle: jobs.RunLifeCycleStateTerminated, Result: jobs.RunResultStateTimedout,
		Code: jobs.TerminationCodeCodeCanceled, Type: jobs.TerminationTypeTypeClientError, Message: "Run timed out.",
	}
	// workloadFailed is the end of a task whose notebook failed. Its output has the error.
	workloadFailed = outcome{
		LifeCycle: jobs.RunLifeCycleStateTerminated, Result: jobs.RunResultStateFailed,
		Code: jobs.TerminationCodeCodeRunExecutionError, Type: jobs.TerminationTypeTypeClientError,
		Message: "Workload failed, see run output for details",
	}
	upstreamFailed = outcome{
		LifeCycle: jobs.RunLifeCycleStateTerminated, Result: jobs.RunResultStateUpstreamFailed,
		Code: jobs.TerminationCodeCodeSkipped, Type: jobs.TerminationTypeTypeClientError, Message: "An upstream task failed.",
	}
	upstreamCanceled = outcome{
		LifeCycle: jobs.RunLifeCycleStateTerminated, Result: jobs.RunResultStateUpstreamCanceled,
		Code: jobs.TerminationCodeCodeSkipped, Type: jobs.TerminationTypeTypeClientError, Message: "An upstream task was canceled.",
	}
	excluded = outcome{
		LifeCycle: jobs.RunLifeCycleStateTerminated, Result: jobs.RunResultStateExcluded,
		Code: jobs.TerminationCodeCodeSkipped, Type: jobs.TerminationTypeTypeSuccess, Message: "The task's run_if condition was not met.",
	}
)

// notebookMissing returns the end of a task whose notebook is not in the workspace. As in the
// service, that is found when the task starts, not when it is submitted.
func notebookMissing(path string) outcome {
	return outcome{
		LifeCycle: jobs.RunLifeCycleStateInternalError, Result: jobs.RunResultStateFailed,
		Code: jobs.TerminationCodeCodeResourceNotFound, Type: jobs.TerminationTypeTypeClientError,
		Message: fmt.Sprintf("Unable to access the notebook %q in the workspace. Either it does not exist, or the identity used to run this job, %s, lacks the required permissions.", path, api.UserName),
	}
}

// notebookUnsupported returns the end of a task whose notebook is in a language that a SQL
// warehouse does not run.
func notebookUnsupported(path, language string) outcome {
	return outcome{
		LifeCycle: jobs.RunLifeCycleStateInternalError, Result: jobs.RunResultStateFailed,
		Code: jobs.TerminationCodeCodeInvalidRunConfiguration, Type: jobs.TerminationTypeTypeClientError,
		Message: fmt.Sprintf("The notebook %q is in %s. This workspace runs SQL notebooks only.", path, language),
	}
}

// internalError returns the end of a run that failed because of the workspace. Another run may
// succeed.
func internalError(message string) outcome {
	return outcome{
		LifeCycle: jobs.RunLifeCycleStateInternalError, Result: jobs.RunResultStateFailed,
		Code: jobs.TerminationCodeCodeInternalError, Type: jobs.TerminationTypeTypeInternalError, Message: message,
	}
}

// rollUp returns the outcome of a run whose tasks have all ended. As the Jobs API documents, the
// leaves decide. The deprecated life cycle of a run with a failed leaf is INTERNAL_ERROR, although
// that of its tasks is TERMINATED.
func rollUp(tasks []*TaskRun) outcome {
	hasChild := map[string]bool{}
	for _, t := range tasks {
		for _, parent := range t.Spec.DependsOn {
			hasChild[parent.TaskKey] = true
		}
	}
	var anyFailed bool
	var leafCanceled, leafFailed *TaskRun
	for _, t := range tasks {
		failed, stopped := t.Outcome.failed(), t.Outcome.canceled()
		anyFailed = anyFailed || failed || stopped
		if !hasChild[t.Spec.TaskKey] && failed {
			leafFailed = t
		}
		if !hasChild[t.Spec.TaskKey] && stopped {
			leafCanceled = t
		}
	}
	switch {
	case leafFailed != nil:
		return runFailed(tasks)
	case leafCanceled != nil:
		return canceled
	case anyFailed:
		return outcome{
			LifeCycle: jobs.RunLifeCycleStateTerminated, Result: jobs.RunResultStateSuccessWithFailures,
			Code: jobs.TerminationCodeCodeSuccessWithFailures, Type: jobs.TerminationTypeTypeSuccess,
			Message: "The run succeeded, but some of its tasks failed.",
		}
	}
	return succeeded
}

// runFailed returns the outcome of a failed run. It names the tasks that failed, not those that
// could not run; the code is that of the first.
func runFailed(tasks []*TaskRun) outcome {
	var sentences []string
	var first *TaskRun
	for _, t := range tasks {
		if !t.Outcome.failed() || t.Outcome.Result == jobs.RunResultStateUpstreamFailed {
			continue
		}
		if first == nil {
			first = t
		}
		sentences = append(sentences, fmt.Sprintf("Task %s failed with message: %s.", t.Spec.TaskKey, strings.TrimSuffix(t.Outcome.Message, ".")))
	}
	if first == nil {
		return upstreamFailed
	}
	o := first.Outcome
	o.LifeCycle, o.Result, o.Message = jobs.RunLifeCycleStateInternalError, jobs.RunResultStateFailed, strings.Join(sentences, " ")
	return o
}

func (o outcome) failed() bool {
	switch o.Result {
	case jobs.RunResultStateFailed, jobs.RunResultStateTimedout, jobs.RunResultStateUpstreamFailed:
		return true
	}
	return false
}

func (o outcome) canceled() bool {
	return o.Result == jobs.RunResultStateCanceled || o.Result == jobs.RunResultStateUpstreamCanceled
}

// skipReason returns nil if a task runs, by the outcomes of its parents. The conditions are those
// of run_if; empty is ALL_SUCCESS.
func skipReason(condition jobs.RunIf, parents []outcome) *outcome {
	if len(parents) == 0 {
		return nil
	}
	var ok, failed, stopped int
	for _, p := range parents {
		switch {
		case p.Result == jobs.RunResultStateSuccess:
			ok++
		case p.failed():
			failed++
		case p.canceled():
			stopped++
		}
	}
	var runs bool
	switch condition {
	case jobs.RunIfAllDone:
		runs = true
	case jobs.RunIfNoneFailed:
		runs = failed+stopped == 0 && ok > 0
	case jobs.RunIfAtLeastOneSuccess:
		runs = ok > 0
	case jobs.RunIfAtLeastOneFailed:
		runs = failed > 0
	case jobs.RunIfAllFailed:
		runs = failed == len(parents)
	default:
		runs = ok == len(parents)
	}
	switch {
	case runs:
		return nil
	case condition == jobs.RunIfAtLeastOneFailed || condition == jobs.RunIfAllFailed:
		return &excluded
	case failed > 0:
		return &upstreamFailed
	case stopped > 0:
		return &upstreamCanceled
	}
	return &excluded
}
