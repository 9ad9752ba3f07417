package run

import "fmt"

// Choice is what an operator decides about a task of an open run.
type Choice string

// The choices. Each ends the current try of the task, if there is one.
const (
	// RetryTask starts the next try, as Airflow's clear: at once for a task between two tries, and
	// with everything downstream for a task that was final.
	RetryTask Choice = "retry"
	// FailTask marks the task as failed.
	FailTask Choice = "fail"
	// SucceedTask marks the task as successful: its work was done by hand, or is not needed.
	SucceedTask Choice = "succeed"
	// SkipTask marks the task as skipped.
	SkipTask Choice = "skip"
)

// Choices holds all choices.
var Choices = []Choice{RetryTask, SkipTask, FailTask, SucceedTask}

// State returns the state that the choice gives a task; ok is false for an unknown choice.
func (c Choice) State() (state State, ok bool) {
	switch c {
	case RetryTask:
		return Running, true
	case FailTask:
		return Failed, true
	case SucceedTask:
		return Success, true
	case SkipTask:
		return Skipped, true
	}
	return None, false
}

// Decision is the argument of DecideUpdate. The history and the ledger keep who decided, and why.
type Decision struct {
	Task   string `json:"task"`
	Choice Choice `json:"choice"`
	By     string `json:"by,omitempty"`
	Reason string `json:"reason"`
}

func (d Decision) String() string {
	if d.By == "" {
		return fmt.Sprintf("%s: %s", d.Choice, d.Reason)
	}
	return fmt.Sprintf("%s by %s: %s", d.Choice, d.By, d.Reason)
}
