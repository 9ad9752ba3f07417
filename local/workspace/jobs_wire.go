package workspace

import (
	"fmt"

	"github.com/databricks/databricks-sdk-go/service/jobs"
)

// userName is the only user of the workspace.
const userName = "local"

func (s *Server) runPage(r *run) string {
	return fmt.Sprintf("%s/jobs/%d/runs/%d", s.URL(), r.JobID, r.ID)
}

func (s *Server) taskPage(r *run, t *taskRun) string {
	return fmt.Sprintf("%s#task-%d", s.runPage(r), t.ID)
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

func (s *Server) wireTask(r *run, t *taskRun) jobs.RunTask {
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
		RunPageUrl:        s.taskPage(r, t),
		State:             state,
		Status:            status,
	}
}

func (s *Server) wireTasks(r *run) []jobs.RunTask {
	tasks := make([]jobs.RunTask, 0, len(r.Tasks))
	for _, t := range r.Tasks {
		tasks = append(tasks, s.wireTask(r, t))
	}
	return tasks
}

// wireRun returns a job run as in runs/get.
func (s *Server) wireRun(r *run) jobs.Run {
	state, status := states(r.Phase, r.Outcome)
	return jobs.Run{
		JobId:                r.JobID,
		RunId:                r.ID,
		JobRunId:             r.ID,
		NumberInJob:          r.ID,
		OriginalAttemptRunId: r.ID,
		RunName:              r.Name,
		RunType:              jobs.RunTypeSubmitRun,
		RunPageUrl:           s.runPage(r),
		CreatorUserName:      userName,
		Trigger:              jobs.TriggerTypeOneTime,
		StartTime:            r.Submitted,
		EndTime:              r.Ended,
		RunDuration:          duration(r.Submitted, r.Ended),
		State:                state,
		Status:               status,
		Tasks:                s.wireTasks(r),
	}
}

// wireTaskRun returns the run of a task as in runs/get and runs/get-output.
func (s *Server) wireTaskRun(r *run, t *taskRun) jobs.Run {
	task := s.wireTask(r, t)
	shown := s.wireRun(r)
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
func (s *Server) wireBaseRun(r *run, expandTasks bool) jobs.BaseRun {
	state, status := states(r.Phase, r.Outcome)
	shown := jobs.BaseRun{
		JobId:                r.JobID,
		RunId:                r.ID,
		JobRunId:             r.ID,
		NumberInJob:          r.ID,
		OriginalAttemptRunId: r.ID,
		RunName:              r.Name,
		RunType:              jobs.RunTypeSubmitRun,
		RunPageUrl:           s.runPage(r),
		CreatorUserName:      userName,
		Trigger:              jobs.TriggerTypeOneTime,
		StartTime:            r.Submitted,
		EndTime:              r.Ended,
		RunDuration:          duration(r.Submitted, r.Ended),
		State:                state,
		Status:               status,
	}
	if expandTasks {
		shown.Tasks = s.wireTasks(r)
	}
	return shown
}
