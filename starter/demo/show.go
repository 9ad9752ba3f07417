package demo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// answerRows is how many rows of an answer the demo shows: the largest have hundreds.
const answerRows = 8

// drawRun prints the DAG with its states, and the table of its tasks.
func (d *demo) drawRun(status run.Status) {
	d.Say("\n%s", d.DAG.DAG.Text(func(id string) string {
		task := status.Task(id)
		return mark.Color(d.Term, task.State, string(task.State)) + "  " + d.Took(task.Started, task.Ended)
	}))
	d.view.Run(history.Run{Status: status}, false)
}

// showAnswers prints the first rows of each answer, and writes answers.json if asked to.
func (d *demo) showAnswers(ctx context.Context) error {
	ws, err := d.systems.Workspace()
	if err != nil {
		return err
	}
	warehouse := ws.Warehouse(d.settings)
	tables := answers.Tables(d.DAG.DAG.Tables())
	all, err := warehouse.FetchAll(ctx, tables)
	if err != nil {
		return databricks.Classify(err)
	}
	for _, answer := range all {
		more := len(answer.Rows) - answerRows
		answer.Rows = answer.Rows[:min(answerRows, len(answer.Rows))]
		d.Say("")
		d.view.PrintAnswer(answer)
		if more > 0 {
			d.Say("… and %d more rows: %s", more, d.command("answers "+answer.Name))
		}
	}
	if d.Options.Out == "" {
		return nil
	}
	export, err := warehouse.Export(ctx, tables, d.DAG.DAG.Cleaned())
	if err != nil {
		return databricks.Classify(err)
	}
	document, err := view.MarshalAnswers(export)
	if err != nil {
		return err
	}
	file := filepath.Join(d.Options.Out, "answers.json")
	if err := os.WriteFile(file, document, 0o644); err != nil {
		return err
	}
	d.Say("\nAll answers are in %s.", file)
	return nil
}

// showPhases prints how long each phase took.
func (d *demo) showPhases(whole time.Duration) {
	d.showRestarts()
	d.Say("")
	for _, phase := range append(d.phases, phase{"in all", whole}) {
		d.Say("%10s  %s", fmt.Sprintf("%.2f s", phase.took.Seconds()), phase.name)
	}
}

// showAddresses prints where the systems are, and what to try next.
func (d *demo) showAddresses(date dates.Date) {
	d.Say("\n%s", d.Paint(text.Bold, "Everything is running; Ctrl-C ends it."))
	d.PrintTable(term.Table{Rows: [][]string{
		{"Temporal Web UI", d.settings.UIURL},
		{"gateway", d.settings.GatewayURL},
		{"workspace (notebook runs)", os.Getenv("DATABRICKS_HOST")},
		{"settings and logs", d.Data},
	}})
	emulate := "emulate --count 100"
	if d.source.Posts() == 0 { // the same posts each time: only more of them change the answers
		emulate = fmt.Sprintf("emulate --resume --count %d", d.posted+100)
	}
	d.Say("\nTry, in another terminal and from any directory:")
	lines := []string{d.command(fmt.Sprintf("status %s", date))}
	if tables := d.DAG.DAG.Tables(); len(tables) > 0 {
		lines = append(lines, d.command("answers "+tables[0]))
	}
	for _, line := range append(lines,
		starter()+" "+emulate+" && "+d.command(fmt.Sprintf("run %s --wait", date)),
		starter()+" --help",
	) {
		d.Say("  %s", line)
	}
}

// command returns a command line about the DAG of the demo.
func (d *demo) command(args string) string {
	line := starter() + " " + args
	if len(d.Catalog.DAGs) > 1 {
		line += " --dag " + d.DAG.Name
	}
	return line
}

// starter returns how this program is called from any directory.
func starter() string {
	self, err := os.Executable()
	if err != nil {
		return "starter"
	}
	if found, err := exec.LookPath(filepath.Base(self)); err == nil && found == self {
		return filepath.Base(self)
	}
	return self
}
