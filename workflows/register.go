package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"
)

// Named is a DAG with its name, and what holds for each of its runs.
type Named struct {
	Name string
	DAG  DAG
	// Hold parks a task that has used up its tries until an operator decides, in every run.
	Hold bool
	// Deadline is the longest that a run may take, from its start; then its tasks are cancelled and it has failed. None by default.
	Deadline time.Duration
	// Due is how long after its end a date must have been run: later it is overdue, whether its run hangs or never started. None by default.
	Due time.Duration
}

// Catalog is the DAGs that a worker can run, and the pools that they may use. Both are looked up by name.
type Catalog struct {
	DAGs  []Named
	Pools []Pool
}

// Standard is the catalog of the pipeline.
var Standard = Catalog{DAGs: []Named{{Name: DailyName, DAG: Daily, Due: 6 * time.Hour}}, Pools: Pools}

// Registry is what takes workflows: a worker, a replayer, a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register registers all workflows with the DAGs of a catalog. Worker, replayer and tests share it, so that they cannot differ.
func Register(registry Registry, catalog Catalog) {
	w := Workflows{catalog}
	registry.RegisterWorkflowWithOptions(w.Run, workflow.RegisterOptions{Name: RunWorkflow})
	registry.RegisterWorkflowWithOptions(w.Range, workflow.RegisterOptions{Name: RangeWorkflow})
	registry.RegisterWorkflowWithOptions(PoolSlots, workflow.RegisterOptions{Name: PoolWorkflow})
}

// Workflows are the workflows over the DAGs of a catalog.
type Workflows struct{ Catalog Catalog }

// Validate reports all that is wrong with the catalog's DAGs, at once. A worker calls it before it takes work.
func (c Catalog) Validate() error {
	var errs []error
	for _, named := range c.DAGs {
		if err := named.Validate(c.Pools); err != nil {
			errs = append(errs, fmt.Errorf("DAG %s:\n%w", named.Name, err))
		}
	}
	return errors.Join(errs...)
}

// Validate reports all that is wrong with the DAG and with what holds for its runs, at once.
func (n Named) Validate(pools []Pool) error {
	err := n.DAG.Validate(pools)
	if n.Deadline < 0 || n.Due < 0 {
		err = errors.Join(err, errors.New("the deadline of a run, and when a date is due, are not negative"))
	}
	return err
}

// Lookup returns the catalog's DAG of that name. The error names those that there are.
func (c Catalog) Lookup(name string) (DAG, error) {
	named, err := c.Named(name)
	return named.DAG, err
}

// Named returns the catalog's DAG of that name, with what holds for its runs. The error names those that there are.
func (c Catalog) Named(name string) (Named, error) {
	var names []string
	for _, named := range c.DAGs {
		if named.Name == name {
			return named, nil
		}
		names = append(names, named.Name)
	}
	return Named{}, fmt.Errorf("no DAG %q: there are %s", name, strings.Join(names, ", "))
}

// slots is how many slots the pool of that name has.
func (c Catalog) slots(pool string) int {
	for _, p := range c.Pools {
		if p.Name == pool {
			return p.Slots
		}
	}
	return 0
}
