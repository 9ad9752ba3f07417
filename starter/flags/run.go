// Package flags holds the flags that commands share, and what they mean: dates, the settings of a
// run and of a range of dates, what a rerun drops, and reasons. It reports all mistakes at once, and asks no system.
package flags

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
)

// Run is the flags of commands that start runs.
type Run struct {
	Params     []string // as name=value
	Tags       []string
	Hold       bool
	IgnorePast bool
	AcceptGaps bool
	Reason     string // of AcceptGaps
	Timeout    time.Duration
}

// Add adds the flags to a command. The definition is for the completion of parameters.
func (f *Run) Add(c *cobra.Command, definition func() (dag.Definition, error)) {
	flags := c.Flags()
	flags.StringArrayVar(&f.Params, "param", nil, "notebook parameter as `name=value` (repeatable)")
	flags.StringArrayVar(&f.Tags, "tag", nil, "`label` by which runs --tag finds the run (repeatable)")
	flags.BoolVar(&f.Hold, "hold", false, "hold tasks that have used up their tries, for a decision with starter task")
	flags.BoolVar(&f.IgnorePast, "ignore-past", false, "no wait for the date before")
	flags.BoolVar(&f.AcceptGaps, "accept-gaps", false, "go on without records that Kafka lost before they landed; needs --reason")
	flags.StringVar(&f.Reason, "reason", "", "`text` that the manifest keeps with --accept-gaps")
	flags.DurationVar(&f.Timeout, "run-timeout", 0, "`time` after which the run is cancelled and fails, as in 6h")
	complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		definition, _ := definition() // without a DAG there is nothing to complete
		var names []string
		for _, name := range slices.Sorted(maps.Keys(definition.Params)) {
			names = append(names, name+"=")
		}
		return names, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	_ = c.RegisterFlagCompletionFunc("param", complete)
}

// tagForm is the form of a tag, which becomes part of searches and tables.
var tagForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$`)

// CheckTag returns the mistake in a tag.
func CheckTag(tag string) error {
	if !tagForm.MatchString(tag) {
		return exit.Usagef("--tag %q: want up to 63 letters, digits and _ . : -", tag)
	}
	return nil
}

// Read returns the parameters, or all mistakes in the flags.
func (f *Run) Read(definition dag.Definition) (map[string]string, error) {
	var errs []error
	for _, tag := range f.Tags {
		errs = append(errs, CheckTag(tag))
	}
	if f.Timeout < 0 || f.Timeout > 0 && f.Timeout < time.Second {
		errs = append(errs, exit.Usagef("--run-timeout %s: want 1s or more", f.Timeout))
	}
	switch reason := strings.TrimSpace(f.Reason); {
	case f.AcceptGaps && reason == "":
		errs = append(errs, exit.Usagef("--accept-gaps needs --reason: the manifest keeps why records are missing"))
	case !f.AcceptGaps && reason != "":
		errs = append(errs, exit.Usagef("--reason is that of --accept-gaps: give both or none"))
	}
	params := make(map[string]string, len(f.Params))
	for _, pair := range f.Params {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			errs = append(errs, exit.Usagef("--param %s: write it as name=value", pair))
			continue
		}
		params[name] = value
	}
	if err := definition.Params.Check(params); err != nil {
		errs = append(errs, exit.Usagef("--param: %w", err))
	}
	return params, errors.Join(errs...)
}

// Accepted returns why lost records are accepted; empty if they are not.
func (f *Run) Accepted() string {
	if !f.AcceptGaps {
		return ""
	}
	return strings.TrimSpace(f.Reason)
}

// Input returns a manual run of a DAG with the flags, without date and parameters.
func (f *Run) Input(dagName, by string) run.Input {
	return run.Input{
		DAG: dagName, Trigger: run.Manual, TriggeredBy: by,
		Tags: f.Tags, Hold: f.Hold, IgnorePast: f.IgnorePast, AcceptGaps: f.Accepted(), RunTimeout: f.Timeout,
	}
}

// Reprocess adds --reprocess to a command.
func Reprocess(c *cobra.Command, into *string, byDefault run.Reprocess) {
	c.Flags().StringVar(into, "reprocess", string(byDefault), "`dates` that run again: none, failed or all")
	_ = c.RegisterFlagCompletionFunc("reprocess", cobra.FixedCompletions([]string{
		string(run.ReprocessNone), string(run.ReprocessFailed), string(run.ReprocessAll),
	}, cobra.ShellCompDirectiveNoFileComp))
}
