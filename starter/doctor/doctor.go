// Package doctor checks each system: whether it can be reached, whether it is set up, and what to
// do if not. It changes nothing but an object doctor/… in the bucket, which proves that the bucket
// is writable.
package doctor

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/notebooks"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/systems"
)

// Doctor checks the systems for the DAGs of a catalog.
type Doctor struct {
	Systems  systems.Systems
	Settings config.Config
	// Kinds holds the kinds of record whose topics are checked.
	Kinds []string
	// Notebooks holds the notebooks that the workspace should have.
	Notebooks []notebooks.Notebook
	// DAGs reads the history of each DAG.
	DAGs []*history.Reader
	// BuildID names the build of this command.
	BuildID string
	Now     func() time.Time
}

// Finding is the result of one check.
type Finding struct {
	System string `json:"system"`
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	// Detail is what was found. If OK is false it says what is wrong and what to do.
	Detail string `json:"detail"`
	// Warning reports whether all works, but not as one would expect; Detail says why.
	Warning bool `json:"warning,omitempty"`
	// Unreachable reports whether the system could not be used at all.
	Unreachable bool `json:"unreachable,omitempty"`
}

// Examine does all checks, those of different systems at the same time.
func (d *Doctor) Examine(ctx context.Context) []Finding {
	checks := []func(context.Context) []Finding{d.temporal, d.kafka, d.bucket, d.databricks, d.gateway, d.alarms}
	found := make([][]Finding, len(checks))
	var group errgroup.Group
	for i, check := range checks {
		group.Go(func() error {
			found[i] = check(ctx)
			return nil
		})
	}
	_ = group.Wait() // the checks return no errors
	settings := Finding{System: "settings", Check: "deployment", OK: true, Detail: string(d.Settings.Deployment)}
	return append([]Finding{settings}, slices.Concat(found...)...)
}

// Verdict returns the error that the findings make: nil if all is well.
func Verdict(all []Finding) error {
	switch {
	case slices.ContainsFunc(all, func(f Finding) bool { return f.Unreachable }):
		return exit.Shown(exit.Unreachable)
	case slices.ContainsFunc(all, func(f Finding) bool { return !f.OK }):
		return exit.Shown(exit.Failed)
	}
	return nil
}

// warning is the error of a check that found something which works, but not as one would expect.
type warning string

func (w warning) Error() string { return string(w) }

// check is one check. It returns what was found, or an error that says what to do; a warning is no
// failure.
type check struct {
	name string
	do   func() (string, error)
}

// examine does the checks of one system. It stops after a check that could not use the system.
func examine(system string, checks ...check) []Finding {
	var all []Finding
	for _, c := range checks {
		detail, err := c.do()
		f := Finding{System: system, Check: c.name, OK: err == nil, Detail: detail}
		switch {
		case errors.As(err, new(warning)):
			f.Detail, f.OK, f.Warning = err.Error(), true, true
		case err != nil:
			f.Detail, f.Unreachable = err.Error(), fault.Unusable(err)
		}
		if all = append(all, f); f.Unreachable {
			break
		}
	}
	return all
}

// get sends a GET request to the gateway, with the API key if there is one.
func (d *Doctor) get(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if len(d.Settings.APIKeys) > 0 {
		request.Header.Set("X-API-Key", d.Settings.APIKey())
	}
	return d.Systems.HTTP.Do(request)
}
