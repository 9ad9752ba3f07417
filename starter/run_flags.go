package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"regexp"
	"time"

	"github.com/spf13/cobra"
)

// runFlags are what the commands that start runs have in common.
type runFlags struct {
	params     []string
	tags       []string
	hold       bool
	ignorePast bool
	deadline   time.Duration
}

// add gives a command the flags.
func (f *runFlags) add(c *cobra.Command) {
	paramFlag(c, &f.params)
	flags := c.Flags()
	flags.StringArrayVar(&f.tags, "tag", nil, "label the run with a `word`, by which runs --tag finds it (can be repeated)")
	flags.BoolVar(&f.hold, "hold", false, "park a task that has used up its tries until somebody decides about it with the command task")
	flags.BoolVar(&f.ignorePast, "ignore-past", false, "start tasks that depend on the past without it")
	flags.DurationVar(&f.deadline, "deadline", 0, "cancel and fail a run that is not done after this `time`, as in 6h")
}

// tagForm is what a tag may be: it stands in searches and tables.
var tagForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$`)

// read checks the flags, and reports all that is wrong with them at once.
func (f *runFlags) read() (params map[string]string, err error) {
	var errs []error
	for _, tag := range f.tags {
		if !tagForm.MatchString(tag) {
			errs = append(errs, usagef("--tag %q: a tag is up to 63 letters, digits and _ . : -", tag))
		}
	}
	if f.deadline < 0 {
		errs = append(errs, usagef("--deadline %s: it is not negative", f.deadline))
	}
	params, err = parseParams(f.params)
	return params, errors.Join(append(errs, err)...)
}

// operatorName says who gives an order, for others to read: the user and the machine.
func operatorName() string {
	name := "somebody"
	if current, err := user.Current(); err == nil {
		name = current.Username
	}
	if host, err := os.Hostname(); err == nil {
		name = fmt.Sprintf("%s@%s", name, host)
	}
	return name
}
