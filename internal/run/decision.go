package run

import "fmt"

// Choice is what an operator decides about a held task.
type Choice string

// The choices.
const (
	// RetryTask starts one more try.
	RetryTask Choice = "retry"
	// FailTask marks the task as failed.
	FailTask Choice = "fail"
	// SucceedTask marks the task as successful: its work was done by hand.
	SucceedTask Choice = "succeed"
	// SkipTask marks the task as skipped.
	SkipTask Choice = "skip"
)

// State returns the state that the choice gives a held task; ok is false for an unknown choice.
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
