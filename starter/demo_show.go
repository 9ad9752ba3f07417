package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// answerRows is how many rows of an answer the demo shows: the largest have hundreds.
const answerRows = 8

// drawRun prints the DAG with its states, and the table of its tasks.
func (d *demo) drawRun(status run.Status) error {
	table, err := definitionOf(status.DAG)
	if err != nil {
		return err
	}
	states := map[string]run.Task{}
	for _, task := range status.Tasks {
		states[task.ID] = task
	}
	d.say("")
	d.say("%s", table.Text(func(id string) string {
		task := states[id]
		return d.paintState(task.State, string(task.State)) + "  " + d.took(task.Started, task.Ended)
	}))
	d.printRun(status)
	return nil
}

// showAnswers prints the answers, cut to some rows, and writes answers.json if asked to.
func (d *demo) showAnswers(ctx context.Context) error {
	ws, err := d.connect.workspace()
	if err != nil {
		return err
	}
	warehouse := ws.warehouse(d.settings)
	all, err := warehouse.FetchAll(ctx, answers.Tables)
	if err != nil {
		return ws.databricksError(err)
	}
	for _, answer := range all {
		more := len(answer.Rows) - answerRows
		answer.Rows = answer.Rows[:min(answerRows, len(answer.Rows))]
		d.say("")
		d.printAnswer(answer)
		if more > 0 {
			d.say("… and %d more rows: bin/starter answers %s", more, answer.Name)
		}
	}
	if d.out == "" {
		return nil
	}
	export, err := warehouse.Export(ctx)
	if err != nil {
		return ws.databricksError(err)
	}
	document, err := marshalAnswers(export)
	if err != nil {
		return err
	}
	file := filepath.Join(d.out, "answers.json")
	if err := os.WriteFile(file, document, 0o644); err != nil {
		return err
	}
	d.say("\nAll answers are in %s.", file)
	return nil
}

// showPhases prints how long each phase took.
func (d *demo) showPhases(whole time.Duration) {
	d.say("")
	for _, phase := range append(d.phases, phase{"in all", whole}) {
		d.say("%10s  %s", fmt.Sprintf("%.2f s", phase.took.Seconds()), phase.name)
	}
}

// showAddresses says where everything is, and what to try next.
func (d *demo) showAddresses(date dates.Date) {
	d.say("\n%s", d.paint(text.Bold, "Everything is up; Ctrl-C ends it."))
	d.printGrid(grid{rows: [][]string{
		{"Temporal Web UI", d.settings.UIURL},
		{"gateway", d.settings.GatewayURL},
		{"workspace (notebook runs)", os.Getenv("DATABRICKS_HOST")},
		{"settings and logs", d.data},
	}})
	d.say("\nTry, in another terminal:\n  bin/starter status %s\n  bin/starter answers users_joined_by_year\n  bin/starter emulate --count 100 && bin/starter run %s --wait\n  bin/starter --help", date, date)
}
