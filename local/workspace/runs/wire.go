package runs

import (
	"fmt"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/pinflow/pinflow/local/workspace/api"
)

func (a *API) runPage(r *Run) string {
	return fmt.Sprintf("%s/jobs/%d/runs/%d", a.options.URL, r.JobID, r.ID)
}

func (a *API) taskPage(r *Run, t *TaskRun) string {
	return fmt.Sprintf("%s#task-%d", a.runPage(r), t.ID)
}

// states returns the two objects with the state of a run or task: the deprecated state, and the
// status.
func states(p phase, o outcome) (*jobs.RunState, *jobs.RunStatus) {
	status := &jobs.RunStatus{State: p}
	if p != phaseTerminated {
		state := &jobs.RunState{LifeCycleState: jobs.RunLifeCycleState(p)}
		if p == phaseTerminating {
			state.StateMessage = "Terminating"
		}
		return state, status
	}
	status.TerminationDetails = &jobs.TerminationDetails{Code: o.Code, Type: o.Type, Message: o.Message}
	return &jobs.RunState{
		LifeCycleState:          o.LifeCycle,
		ResultState:             o.Result,
		StateMessage:            o.Message,
		UserCancelledOrTimedout: o.Result == jobs.RunResultStateCanceled || o.Result == jobs.RunResultStateTimedout,
	}, status
}

// duration returns the milliseconds between two times; 0 while one of them is not set.
func duration(from, to int64) int64 {
	if from == 0 || to == 0 {
		return 0
	}
	return to - from
}

func (a *API) wireTask(r *Run, t *TaskRun) jobs.RunTask {
	state, status := states(t.Phase, t.Outcome)
	runIf := t.Spec.RunIf
	if runIf == "" {
		runIf = jobs.RunIfAllSuccess
	}
	notebook := *t.Spec.NotebookTask
	notebook.Source = jobs.SourceWorkspace
	return jobs.RunTask{
		TaskKey:           t.Spec.TaskKey,
		Description:       t.Spec.Description,
		RunId:             t.ID,
		RunIf:             runIf,
		DependsOn:         t.Spec.DependsOn,
		NotebookTask:      &notebook,
		TimeoutSeconds:    t.Spec.TimeoutSeconds,
		ExistingClusterId: t.Spec.ExistingClusterId,
		NewCluster:        t.Spec.NewCluster,
		EnvironmentKey:    t.Spec.EnvironmentKey,
		Libraries:         t.Spec.Libraries,
		StartTime:         t.Started,
		EndTime:           t.Ended,
		ExecutionDuration: duration(t.Started, t.Ended),
		RunDuration:       duration(t.Started, t.Ended),
		RunPageUrl:        a.taskPage(r, t),
		State:             state,
		Status:            status,
	}
}

func (a *API) wireTasks(r *Run) []jobs.RunTask {
	tasks := make([]jobs.RunTask, 0, len(r.Tasks))
	for _, t := range r.Tasks {
		tasks = append(tasks, a.wireTask(r, t))
	}
	return tasks
}

// wireRun returns a job run as in runs/get.
func (a *API) wireRun(r *Run) jobs.Run {
	state, status := states(r.Phase, r.Outcome)
	return jobs.Run{
		JobId:                r.JobID,
		RunId:                r.ID,
		JobRunId:             r.ID,
		NumberInJob:          r.ID,
		OriginalAttemptRunId: r.ID,
		RunName:              r.Name,
		RunType:              jobs.RunTypeSubmitRun,
		RunPageUrl:           a.runPage(r),
		CreatorUserName:      api.UserName,
		Trigger:              jobs.TriggerTypeOneTime,
		StartTime:            r.Submitted,
		EndTime:              r.Ended,
		RunDuration:          duration(r.Submitted, r.Ended),
		State:                state,
		Status:               status,
		Tasks:                a.wireTasks(r),
	}
}

// wireTaskRun returns the run of a task as in runs/get and runs/get-output.
func (a *API) wireTaskRun(r *Run, t *TaskRun) jobs.Run {
	task := a.wireTask(r, t)
	shown := a.wireRun(r)
	shown.RunId, shown.NumberInJob, shown.OriginalAttemptRunId = t.ID, t.ID, t.ID
	shown.RunName = t.Spec.TaskKey
	shown.RunPageUrl = task.RunPageUrl
	shown.StartTime, shown.EndTime = task.StartTime, task.EndTime
	shown.ExecutionDuration, shown.RunDuration = task.ExecutionDuration, task.RunDuration
	shown.State, shown.Status = task.State, task.Status
	shown.Tasks = []jobs.RunTask{task}
	return shown
}

// wireBaseRun returns a job run as in runs/list.
func (a *API) wireBaseRun(r *Run, expandTasks bool) jobs.BaseRun {
	state, status := states(r.Phase, r.Outcome)
	shown := jobs.BaseRun{
		JobId:                r.JobID,
		RunId:                r.ID,
		JobRunId:             r.ID,
		NumberInJob:          r.ID,
		OriginalAttemptRunId: r.ID,
		RunName:              r.Name,
		RunType:              jobs.RunTypeSubmitRun,
		RunPageUrl:           a.runPage(r),
		CreatorUserName:      api.UserName,
		Trigger:              jobs.TriggerTypeOneTime,
		StartTime:            r.Submitted,
		EndTime:              r.Ended,
		RunDuration:          duration(r.Submitted, r.Ended),
		State:                state,
		Status:               status,
	}
	if expandTasks {
		shown.Tasks = a.wireTasks(r)
	}
	return shown
}
