// Package alarm finds what operators must know about runs, and posts each alarm once: overdue dates,
// runs that failed, are held or blocked, and runs that succeeded with warnings.
package alarm

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// Kind is what an alarm is about.
type Kind string

// The kinds.
const (
	// Overdue is a date whose run has not ended by its deadline, or never started.
	Overdue Kind = "overdue"
	// Failed is a run that has failed.
	Failed Kind = "failed"
	// Held is a run with a task that waits for an operator's decision.
	Held Kind = "held"
	// Blocked is an open run whose workflow task keeps failing.
	Blocked Kind = "blocked"
	// Warning is a run that has succeeded with warnings.
	Warning Kind = "warning"
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{Overdue, Failed, Held, Blocked, Warning} }

// is returns what the kind says of a run.
func (k Kind) is() string {
	switch k {
	case Failed:
		return "has failed"
	case Warning:
		return "has succeeded with warnings"
	}
	return "is " + string(k)
}

// State is whether the cause of an alarm lasts.
type State string

// The states.
const (
	Raised   State = "raised"
	Resolved State = "resolved"
)

// Alarm is what is posted to the hook, as JSON.
type Alarm struct {
	// ID identifies the alarm. The message that resolves it has the same one.
	ID    string `json:"id"`
	Kind  Kind   `json:"kind"`
	State State  `json:"state"`
	// Deployment, DAG and Date say which date it is about; WorkflowID and RunID which run. They are
	// empty if the date has no run.
	Deployment string     `json:"deployment"`
	DAG        string     `json:"dag"`
	Date       dates.Date `json:"date"`
	WorkflowID string     `json:"workflowId,omitempty"`
	RunID      string     `json:"runId,omitempty"`
	// Reason is why it was raised, or what resolved it.
	Reason string `json:"reason"`
	// Since is when the run ended that failed or warns.
	Since time.Time `json:"since,omitzero"`
	// Deadline is when the run of an overdue date had to have ended.
	Deadline time.Time `json:"deadline,omitzero"`
	// UI is the page of the run, or of the Schedule, in the Temporal Web UI. Command is what to run
	// next; empty if the alarm is resolved.
	UI      string `json:"ui"`
	Command string `json:"command,omitempty"`
	// Text is the whole alarm in words.
	Text string `json:"text"`
}

// Title returns what the alarm is about, in a few words.
func (a Alarm) Title() string {
	if a.State == Resolved {
		return fmt.Sprintf("Resolved: %s of %s %s", a.DAG, a.Date, map[Kind]string{
			Overdue: "is no longer overdue", Failed: "had failed", Held: "was held", Blocked: "was blocked", Warning: "had succeeded with warnings",
		}[a.Kind])
	}
	return fmt.Sprintf("%s of %s %s", a.DAG, a.Date, a.Kind.is())
}

// sentence ends the reason with a full stop.
func (a Alarm) sentence() string {
	if strings.HasSuffix(a.Reason, ".") {
		return a.Reason
	}
	return a.Reason + "."
}

// texted returns the alarm with its text.
func (a Alarm) texted() Alarm {
	a.Text = a.Title() + ": " + a.sentence()
	if a.Command != "" {
		a.Text += fmt.Sprintf(" Next: `%s`.", a.Command)
	}
	return a
}

// resolve returns the message that resolves the alarm.
func (a Alarm) resolve(reason string) Alarm {
	a.State, a.Reason, a.Command = Resolved, cmp.Or(reason, "its cause is gone"), ""
	return a.texted()
}

// Cause identifies the cause of the alarm: kind, date and run. It begins with the DAG and a slash.
func (a Alarm) Cause() string {
	return strings.TrimSuffix(strings.TrimPrefix(a.folder(), "alarms/"), "/")
}

// folder returns the prefix of the objects that belong to the alarms of this kind, date and run.
func (a Alarm) folder() string {
	name := string(a.Kind)
	if a.RunID != "" && a.Kind != Overdue { // a date is overdue once, whatever run it then has
		name += "-" + a.RunID
	}
	return prefix(a.DAG) + string(a.Date) + "/" + name + "/"
}

func prefix(dag string) string { return "alarms/" + dag + "/" }
