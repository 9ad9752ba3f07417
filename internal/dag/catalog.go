package dag

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// Definition is a DAG with its name and what applies to each of its runs.
type Definition struct {
	// Name is a part of the workflow ids of the DAG's runs, of its Schedule and of the ledger. It
	// consists of lower-case letters, digits and hyphens.
	Name string
	DAG  DAG
	// Schedule is when the DAG runs. Settings can override it.
	Schedule Schedule
	// StartDate is the first date that the Schedule is expected to have run, as Airflow's
	// start_date. Earlier dates are no gaps. Settings can override it. By default dates are expected
	// since the Schedule was created.
	StartDate dates.Date
	// Params holds the parameters that a run may set, with the values that each accepts.
	Params Params
	// Hold makes a task that has used up its tries wait for an operator's decision, in every run.
	Hold bool
	// RunTimeout limits a run, as Airflow's dagrun_timeout: its tasks are cancelled then, and it
	// fails. No limit by default.
	RunTimeout time.Duration
	// Deadline is how long after its end a date must have been run. After that it is overdue and
	// raises an alarm, whether its run hangs or never started. None by default.
	Deadline time.Duration
	// Pools holds the pools that the DAG adds to the catalog. Tasks may use those of any DAG.
	Pools []Pool
}

// Schedule is when a DAG runs: five fields of cron, in a time zone named as the IANA names it.
// Without Cron the DAG has no Schedule; without TimeZone it is UTC.
type Schedule struct {
	Cron     string
	TimeZone string
}

// Params maps the parameters that a run may set to the values that each accepts; nil accepts any.
type Params map[string][]string

// Check returns an error that names all parameters that the DAG does not have, and all values that
// a parameter does not accept.
func (p Params) Check(given map[string]string) error {
	var errs []error
	names := slices.Sorted(maps.Keys(given)) //workflowcheck:ignore // sorted
	for _, name := range names {
		accepted, known := p[name]
		switch {
		case !known:
			parameters := slices.Sorted(maps.Keys(p)) //workflowcheck:ignore // sorted
			errs = append(errs, fmt.Errorf("parameter %q is unknown; a run may set %s", name, strings.Join(parameters, ", ")))
		case accepted != nil && !slices.Contains(accepted, given[name]):
			errs = append(errs, fmt.Errorf("parameter %s=%q: want %s", name, given[name], strings.Join(accepted, " or ")))
		}
	}
	return errors.Join(errs...)
}

// Validate returns all mistakes in the definition.
func (d Definition) Validate(pools []Pool) error {
	err := d.DAG.Validate(pools)
	if !dagName.MatchString(d.Name) {
		err = errors.Join(err, fmt.Errorf("name %q: want lower-case letters, digits and hyphens, starting with a letter", d.Name))
	}
	if d.RunTimeout < 0 || d.Deadline < 0 {
		err = errors.Join(err, errors.New("run timeout and deadline must not be negative"))
	}
	if d.StartDate != "" {
		if _, wrong := dates.Parse(string(d.StartDate)); wrong != nil {
			err = errors.Join(err, fmt.Errorf("start date: %w", wrong))
		}
	}
	return err
}

// Pool is a number of slots that tasks share over all runs of a deployment: at most that many of
// its tasks work at a time.
type Pool struct {
	Name  string `json:"name"`
	Slots int    `json:"slots"`
}

// Catalog holds the DAGs that a worker runs, and their pools.
type Catalog struct {
	DAGs  []Definition
	Pools []Pool
	// Reports makes each run that succeeds write the report of the tables that its DAG rebuilds.
	Reports bool
}

// NewCatalog returns the catalog of these DAGs and their pools.
func NewCatalog(definitions ...Definition) Catalog {
	c := Catalog{DAGs: definitions}
	for _, d := range definitions {
		c.Pools = append(c.Pools, d.Pools...)
	}
	return c
}

// Validate returns all mistakes in the catalog. A worker calls it before it polls for work.
func (c Catalog) Validate() error {
	var errs []error
	for _, definition := range c.DAGs {
		if err := definition.Validate(c.Pools); err != nil {
			errs = append(errs, fmt.Errorf("DAG %s:\n%w", definition.Name, err))
		}
	}
	return errors.Join(append(errs, c.Conflicts())...)
}

// Conflicts returns the mistakes that are in no DAG alone: names of DAGs and pools that are defined twice,
// and pools whose names cannot be part of ids.
func (c Catalog) Conflicts() error {
	var errs []error
	for i, definition := range c.DAGs {
		if slices.ContainsFunc(c.DAGs[:i], func(other Definition) bool { return other.Name == definition.Name }) {
			errs = append(errs, fmt.Errorf("DAG %s is defined twice", definition.Name))
		}
	}
	for i, pool := range c.Pools {
		if !poolName.MatchString(pool.Name) {
			errs = append(errs, fmt.Errorf("pool %q: a name has lower-case letters, digits, underscores and hyphens, and starts with a letter", pool.Name))
		}
		if slices.ContainsFunc(c.Pools[:i], func(other Pool) bool { return other.Name == pool.Name }) {
			errs = append(errs, fmt.Errorf("pool %s is defined twice", pool.Name))
		}
	}
	return errors.Join(errs...)
}

// Names returns the names of the DAGs.
func (c Catalog) Names() []string {
	names := make([]string, len(c.DAGs))
	for i, definition := range c.DAGs {
		names[i] = definition.Name
	}
	return names
}

// Kinds returns the kinds of record that the DAGs land.
func (c Catalog) Kinds() []string {
	var kinds []string
	for _, d := range c.DAGs {
		for _, kind := range d.DAG.Kinds() {
			if !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	return kinds
}

// Definition returns the DAG with that name. The error names the DAGs that exist.
func (c Catalog) Definition(name string) (Definition, error) {
	i := slices.IndexFunc(c.DAGs, func(d Definition) bool { return d.Name == name })
	if i < 0 {
		return Definition{}, fmt.Errorf("no DAG %q; the DAGs are %s", name, strings.Join(c.Names(), ", "))
	}
	return c.DAGs[i], nil
}

// Command returns the command line of a `starter` command about a DAG, for hints. It names the DAG if
// the catalog has several.
func (c Catalog) Command(name, args string) string {
	line := "starter " + args
	if len(c.DAGs) > 1 {
		line += " --dag " + name
	}
	return line
}

// PoolsOf returns the pools that the tasks of a DAG use, in the order of the catalog.
func (c Catalog) PoolsOf(d DAG) []Pool {
	return slices.DeleteFunc(slices.Clone(c.Pools), func(p Pool) bool {
		return !slices.ContainsFunc(d, func(t Task) bool { return t.Pool == p.Name })
	})
}

// Width returns how many tasks of a DAG can work at a time over all its runs: the slots of its
// pools, those of tasks that do several dates at once counted so many times. ok is false if a task
// is in no pool, so that nothing limits it.
func (c Catalog) Width(d DAG, batch int) (width int, ok bool) {
	if slices.ContainsFunc(d, func(t Task) bool { return t.Pool == "" }) {
		return 0, false
	}
	for _, p := range c.PoolsOf(d) {
		if d.GoesTogether(p.Name) {
			width += p.Slots * batch
			continue
		}
		width += p.Slots
	}
	return width, true
}

// GoesTogether reports whether all tasks of a pool can do the work of several dates at once.
func (d DAG) GoesTogether(pool string) bool {
	return !slices.ContainsFunc(d, func(t Task) bool { return t.Pool == pool && !t.Do.Effects().Together })
}

// Slots returns how many slots the pool with that name has; 0 if there is none.
func (c Catalog) Slots(pool string) int {
	for _, p := range c.Pools {
		if p.Name == pool {
			return p.Slots
		}
	}
	return 0
}
