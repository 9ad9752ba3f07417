package runs

import (
	"github.com/databricks/databricks-sdk-go/service/jobs"
)

// Run is a stored job run: its submission and its state. Times are milliseconds since the epoch; 0
// is not set.
type Run struct {
	ID    int64  `json:"run_id"`
	JobID int64  `json:"job_id"`
	Name  string `json:"name"`
	Token string `json:"token,omitempty"`
	// Single is a run that was submitted as a single task: its output is that of the task.
	Single         bool       `json:"single,omitempty"`
	TimeoutSeconds int        `json:"timeout_seconds,omitempty"`
	Submitted      int64      `json:"submitted"`
	Ended          int64      `json:"ended,omitempty"`
	Phase          phase      `json:"phase"`
	Outcome        outcome    `json:"outcome"`
	Tasks          []*TaskRun `json:"tasks"`
}

// TaskRun is the run of one task. Its run id is that of its output.
type TaskRun struct {
	ID      int64           `json:"run_id"`
	Spec    jobs.SubmitTask `json:"spec"`
	Started int64           `json:"started,omitempty"`
	Ended   int64           `json:"ended,omitempty"`
	Phase   phase           `json:"phase"`
	Outcome outcome         `json:"outcome"`
	Error   string          `json:"error,omitempty"`
	Trace   string          `json:"trace,omitempty"`
	Preview *preview        `json:"preview,omitempty"`
}

// phase is the state in a status object: BLOCKED or PENDING, RUNNING, TERMINATING, TERMINATED.
type phase = jobs.RunLifecycleStateV2State

const (
	phaseBlocked     = jobs.RunLifecycleStateV2StateBlocked
	phasePending     = jobs.RunLifecycleStateV2StatePending
	phaseRunning     = jobs.RunLifecycleStateV2StateRunning
	phaseTerminating = jobs.RunLifecycleStateV2StateTerminating
	phaseTerminated  = jobs.RunLifecycleStateV2StateTerminated
)

// Active reports whether the run has not ended yet.
func (r *Run) Active() bool { return r.Phase != phaseTerminated }

// Active reports whether the task has not ended yet.
func (t *TaskRun) Active() bool { return t.Phase != phaseTerminated }

// State returns the state in one word: the result of a run that has ended, its phase otherwise.
func (r *Run) State() string { return stateWord(r.Phase, r.Outcome) }

// State returns the state in one word: the result of a task that has ended, its phase otherwise.
func (t *TaskRun) State() string { return stateWord(t.Phase, t.Outcome) }

func stateWord(p phase, o outcome) string {
	if p == phaseTerminated {
		return string(o.Result)
	}
	return string(p)
}

// end ends the task with an outcome at a time in milliseconds.
func (t *TaskRun) end(o outcome, now int64) {
	t.Phase, t.Outcome, t.Ended = phaseTerminated, o, now
}

// end closes the run and whatever of it is still open.
func (r *Run) end(o outcome, now int64) {
	for _, t := range r.Tasks {
		if t.Active() {
			t.end(o, now)
		}
	}
	r.Phase, r.Outcome, r.Ended = phaseTerminated, o, now
}

// task finds a task by its run id, or gives nil.
func (r *Run) task(taskRunID int64) *TaskRun {
	for _, t := range r.Tasks {
		if t.ID == taskRunID {
			return t
		}
	}
	return nil
}
