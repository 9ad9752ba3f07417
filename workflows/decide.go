package workflows

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
)

// Reprocess says which dates of a range run again if they have run before. A date that was seen only in part runs in any case.
type Reprocess string

// The reprocess behaviours, with Airflow's names.
const (
	// ReprocessNone runs only what has never run.
	ReprocessNone Reprocess = "none"
	// ReprocessFailed runs again what failed.
	ReprocessFailed Reprocess = "failed"
	// ReprocessAll runs all dates again.
	ReprocessAll Reprocess = "all"
)

// ParseReprocess reads a reprocess behaviour; empty text is ReprocessNone.
func ParseReprocess(text string) (Reprocess, error) {
	switch r := Reprocess(text); r {
	case "":
		return ReprocessNone, nil
	case ReprocessNone, ReprocessFailed, ReprocessAll:
		return r, nil
	}
	return "", fmt.Errorf("reprocess %q: it is %s, %s or %s", text, ReprocessNone, ReprocessFailed, ReprocessAll)
}

// OnFailure says what a range does when dates fail: "continue", "stop", or "max=N" to stop after N failures.
type OnFailure string

// ContinueOnFailure runs all dates, whatever fails.
const ContinueOnFailure OnFailure = "continue"

// StopOnFailure starts no more dates after the first failure.
const StopOnFailure OnFailure = "stop"

// ParseOnFailure reads what to do on failure; empty text is ContinueOnFailure.
func ParseOnFailure(text string) (OnFailure, error) {
	switch f := OnFailure(text); f {
	case "":
		return ContinueOnFailure, nil
	case ContinueOnFailure, StopOnFailure:
		return f, nil
	}
	if number, ok := strings.CutPrefix(text, "max="); ok {
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			return OnFailure(text), nil
		}
	}
	return "", fmt.Errorf("on-failure %q: it is %s, %s or max=N with N of at least 1", text, ContinueOnFailure, StopOnFailure)
}

// limit is how many failures end a range; 0 is without limit.
func (f OnFailure) limit() int {
	if f == StopOnFailure {
		return 1
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(string(f), "max="))
	return n
}

// DateDecision is what a range decides about one date. A dry run shows it, the real run does it.
type DateDecision struct {
	Date dates.Date `json:"date"`
	// State is how the date stands in the ledger: none, success, failed or partial.
	State string `json:"state"`
	// Run says that the date runs, else it is skipped; Why says why, in words.
	Run bool   `json:"run"`
	Why string `json:"why"`
	// reuse is how Temporal guards the decision, if the date has been run by somebody else since the ledger was read.
	reuse enumspb.WorkflowIdReusePolicy
}

// Guard lets Temporal refuse a start that the decision does not allow any more: the date may have been run since the ledger was read.
func (d DateDecision) Guard(options client.StartWorkflowOptions) client.StartWorkflowOptions {
	options.WorkflowIDReusePolicy = d.reuse
	return options
}

// Decide decides about one date from its ledger entry, nil if there is none. It is pure, so that a dry run and the real one decide the same.
// A date with a run going is not for the ledger to know: Temporal refuses to start it twice, and the range waits for that run instead.
func Decide(date dates.Date, entry *activities.LedgerEntry, reprocess Reprocess) DateDecision {
	state := standing(entry)
	run := func(reuse enumspb.WorkflowIdReusePolicy, format string, args ...any) DateDecision {
		return DateDecision{Date: date, State: state, Run: true, Why: fmt.Sprintf(format, args...), reuse: reuse}
	}
	skip := func(format string, args ...any) DateDecision {
		return DateDecision{Date: date, State: state, Why: fmt.Sprintf(format, args...)}
	}
	// A date that the ledger does not know may have run since it was read: then Temporal refuses to repeat a success. What was terminated
	// from outside told the ledger nothing, and has to run.
	const (
		failedOnly = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
		always     = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	)
	switch {
	case entry == nil && reprocess == ReprocessAll:
		return run(always, "has not run yet")
	case entry == nil:
		return run(failedOnly, "has not run yet")
	case entry.Partial:
		return run(always, "was seen only up to %s", until(entry))
	case reprocess == ReprocessAll:
		return run(always, "%s, and all are to run again", entry.State)
	case State(entry.State) == Success:
		return skip("has run")
	case reprocess == ReprocessFailed:
		return run(failedOnly, "failed, and the failed are to run again")
	}
	return skip("has run, and failed: reprocess failed runs it again")
}

func standing(entry *activities.LedgerEntry) string {
	switch {
	case entry == nil:
		return string(None)
	case entry.Partial:
		return "partial"
	}
	return entry.State
}

func until(entry *activities.LedgerEntry) string {
	if entry.Until == nil {
		return "an unknown time"
	}
	return entry.Until.UTC().Format(time.DateTime) + " UTC"
}
