package main

import (
	"errors"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/notebooks"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/doctor"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/setup"
	"github.com/pinflow/pinflow/starter/systems"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view"
	"github.com/pinflow/pinflow/workflows"
	"github.com/pinflow/pinflow/workflows/operators"
)

// app is one call of the starter. Commands see the world only through it, so that tests can replace
// it.
type app struct {
	*term.Term
	systems systems.Systems
	catalog dag.Catalog
	// notebooks holds the notebooks of this build.
	notebooks []notebooks.Notebook
	// checkOperators returns the tasks whose operators cannot run.
	checkOperators func(dag.Catalog) error
	// buildID names this build.
	buildID string
	// operator returns who runs the command.
	operator func() string
	// load reads the settings, from these files or the default ones.
	load func(files ...string) (config.Config, error)
	// patience is how long `emulate` waits for the gateway; 0 is its default.
	patience time.Duration

	// The following come from the command line.
	settings config.Config
	envFiles []string
	dagName  string
	output   string
	parsed   bool // the command line was understood: a later error is not about its use

	// The following are about the DAG of the command.
	dag     dag.Definition
	history *history.Reader
	control *control.Controller
	view    *view.View
}

// newApp returns the starter in the real world.
func newApp() *app {
	return &app{
		Term: term.Standard(), systems: systems.Real(), catalog: workflows.DefaultCatalog, notebooks: notebooks.All(), buildID: config.BuildID(),
		checkOperators: func(c dag.Catalog) error { return operators.Check(c, operators.Default) },
		operator:       operatorName, load: config.LoadOperator,
	}
}

// use makes the command about a DAG: the one that --dag names, or the only one.
func (a *app) use(definition dag.Definition) {
	a.dag = definition
	a.history = a.reader(definition)
	a.control = a.controller(a.history)
	a.view = &view.View{Term: a.Term, DAG: definition, Command: a.history.Command}
}

func (a *app) reader(definition dag.Definition) *history.Reader {
	return &history.Reader{Systems: a.systems, Settings: a.settings, DAG: definition, Catalog: a.catalog, Now: a.Now, After: a.After}
}

func (a *app) controller(reader *history.Reader) *control.Controller {
	return &control.Controller{Reader: reader, Operator: a.operator, Log: a.Log}
}

// chooseDAG returns the DAG that --dag names, or the only one.
func (a *app) chooseDAG() (dag.Definition, error) {
	switch {
	case a.dagName != "":
		definition, err := a.catalog.Definition(a.dagName)
		if err != nil {
			return dag.Definition{}, exit.Usagef("--dag: %w", err)
		}
		return definition, nil
	case len(a.catalog.DAGs) == 1:
		return a.catalog.DAGs[0], nil
	case len(a.catalog.DAGs) == 0:
		return dag.Definition{}, errors.New("this build has no DAG: add one to workflows/catalog.go")
	}
	return dag.Definition{}, exit.Usagef("this build has several DAGs: name one with --dag: %s", term.Join(a.catalog.Names()))
}

// completeTasks completes the ids of tasks.
func (a *app) completeTasks(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	definition, err := a.chooseDAG()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return definition.DAG.IDs(), cobra.ShellCompDirectiveNoFileComp
}

// readers returns a reader for each DAG of the catalog.
func (a *app) readers() []*history.Reader {
	var all []*history.Reader
	for _, definition := range a.catalog.DAGs {
		all = append(all, a.reader(definition))
	}
	return all
}

// setup sets the systems up for all DAGs of the catalog.
func (a *app) setup() *setup.Setup {
	s := &setup.Setup{
		Systems: a.systems, Settings: a.settings, Kinds: a.catalog.Kinds(), Notebooks: a.notebooks, Now: a.Now, After: a.After,
	}
	for _, reader := range a.readers() {
		if reader.ScheduleSpec().Cron != "" {
			s.DAGs = append(s.DAGs, a.controller(reader))
		}
	}
	return s
}

// doctor checks the systems for all DAGs of the catalog.
func (a *app) doctor() *doctor.Doctor {
	return &doctor.Doctor{
		Systems: a.systems, Settings: a.settings, Kinds: a.catalog.Kinds(), Notebooks: a.notebooks, DAGs: a.readers(), BuildID: a.buildID,
		Now: a.Now,
	}
}

// operatorName returns the user and the machine, as in ann@desk.
func operatorName() string {
	name := "unknown"
	if current, err := user.Current(); err == nil {
		name = current.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
