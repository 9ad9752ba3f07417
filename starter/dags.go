package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

func (a *app) dagsCommand() *cobra.Command {
	check := &cobra.Command{
		Use:   "check",
		Short: "Validate the DAGs of this build, as a worker does when it starts",
		Long: "Check reports all that is wrong with the DAGs at once: unknown parents, cycles, ids that stand twice, trigger rules that can never hold,\n" +
			"pools that do not exist, expectations that nobody can count. The exit code is 1 if there is anything. It needs no system.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.checkDAGs(c, workflows.DefaultCatalog) },
	}
	list := &cobra.Command{
		Use: "list", Short: "List the DAGs of this build", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.listDAGs(c, workflows.DefaultCatalog) },
	}
	for _, c := range []*cobra.Command{check, list} {
		prints(c, formTable, formJSON)
		c.Annotations[annotationNoSettings] = "true"
	}
	return group("dags", "List or validate the DAGs of this build", groupRuns, list, check)
}

// dagCheck is what is wrong with one DAG.
type dagCheck struct {
	DAG      string   `json:"dag"`
	Tasks    int      `json:"tasks"`
	Mistakes []string `json:"mistakes"`
}

func (a *app) checkDAGs(c *cobra.Command, catalog dag.Catalog) error {
	checks := []dagCheck{}
	wrong := 0
	for _, named := range catalog.DAGs {
		check := dagCheck{DAG: named.Name, Tasks: len(named.DAG), Mistakes: []string{}}
		if err := named.Validate(catalog.Pools); err != nil {
			check.Mistakes = strings.Split(err.Error(), "\n")
		}
		wrong += len(check.Mistakes)
		checks = append(checks, check)
	}
	if a.form(c) == formJSON {
		if err := a.printJSON(checks); err != nil {
			return err
		}
	} else {
		for _, check := range checks {
			if len(check.Mistakes) == 0 {
				a.say("%s  %s, %d tasks", a.paintState(run.Success, "ok  "), check.DAG, check.Tasks)
			}
			for _, mistake := range check.Mistakes {
				a.say("%s  %s: %s", a.paintState(run.Failed, "FAIL"), check.DAG, mistake)
			}
		}
	}
	if wrong > 0 {
		return errShown{exitFailed}
	}
	return nil
}

func (a *app) listDAGs(c *cobra.Command, catalog dag.Catalog) error {
	type row struct {
		DAG      string   `json:"dag"`
		Tasks    []string `json:"tasks"`
		Hold     bool     `json:"hold"`
		Deadline string   `json:"deadline,omitempty"`
		Due      string   `json:"due,omitempty"`
	}
	rows := []row{}
	g := grid{header: []string{"dag", "tasks", "due", "deadline", "on failure"}}
	for _, named := range catalog.DAGs {
		r := row{DAG: named.Name, Tasks: named.DAG.IDs(), Hold: named.Hold}
		failure := "fail"
		if named.Hold {
			failure = "hold"
		}
		if named.RunTimeout > 0 {
			r.Deadline = duration(named.RunTimeout)
		}
		if named.Deadline > 0 {
			r.Due = duration(named.Deadline)
		}
		rows = append(rows, r)
		g.rows = append(g.rows, []string{r.DAG, join(r.Tasks), orDefault(r.Due, "never"), orDefault(r.Deadline, "none"), failure})
	}
	if a.form(c) == formJSON {
		return a.printJSON(rows)
	}
	a.printGrid(g)
	return nil
}
