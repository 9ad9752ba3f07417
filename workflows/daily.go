package workflows

import (
	"time"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/notebooks"
	"github.com/pinflow/pinflow/workflows/operators"
)

// mostlyClean warns when more records of a date are quarantined than are cleaned: the answers then
// say little about the date.
var mostlyClean = dag.Expect{WarnQuarantined: 50}

// The notebooks take several dates at once: those of a backfill that wait for the same one go together.
var (
	load  = operators.Load{Topics: []string{"pin", "geo", "user"}, Optional: []string{run.Post}, Notebook: "load", Together: true}
	query = operators.Notebook{Name: "query", Together: true, Rebuilds: notebooks.Answers}
)

func clean(kind string) operators.Notebook {
	return operators.Notebook{Name: "clean_" + kind, Together: true, Cleans: kind}
}

// Daily is the pipeline: it lands and loads the records of a day, cleans the three kinds of record
// in parallel, and answers the questions.
var Daily = dag.Definition{
	Name: "pinterest-daily",
	DAG: dag.DAG{
		{ID: "load", Pool: "load", Do: load, Expect: dag.Expect{WarnEmpty: true}}, // Kafka → S3 → bronze
		{ID: "clean_pin", After: dag.Tasks{"load"}, Pool: "clean_pin", Do: clean("pin"), Expect: mostlyClean},
		{ID: "clean_geo", After: dag.Tasks{"load"}, Pool: "clean_geo", Do: clean("geo"), Expect: mostlyClean},
		{ID: "clean_user", After: dag.Tasks{"load"}, Pool: "clean_user", Do: clean("user"), Expect: mostlyClean},
		{ID: "query", After: dag.Tasks{"clean_pin", "clean_geo", "clean_user"}, Pool: "query", Do: query},
	},
	Schedule: dag.Schedule{Cron: "0 0 * * *", TimeZone: "UTC"}, // when the logical date is over
	Params:   NotebookParams,
	Deadline: 6 * time.Hour,
	// Two writes to one Delta table conflict. Each notebook writes tables of its own, so that each
	// has a pool of one slot: dates that run in parallel land in parallel, and write together or one
	// after the other.
	Pools: []dag.Pool{{Name: "load", Slots: 1}, {Name: "clean_pin", Slots: 1}, {Name: "clean_geo", Slots: 1}, {Name: "clean_user", Slots: 1}, {Name: "query", Slots: 1}},
}
