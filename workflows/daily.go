package workflows

import (
	"time"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/notebooks"
)

// Daily is the pipeline: land the day's records and load them, clean the three kinds in parallel, answer the
// questions.
var Daily = dag.Definition{
	Name: "pinterest-daily",
	DAG: dag.DAG{
		{ID: "load", Pool: "load", Do: Load{Topics: []string{"pin", "geo", "user"}, Then: "load"}}, // Kafka → S3, then the notebook S3 → bronze
		{ID: "clean_pin", After: dag.Tasks{"load"}, Pool: "clean_pin", Do: Notebook{Name: "clean_pin", Cleans: "pin"}},
		{ID: "clean_geo", After: dag.Tasks{"load"}, Pool: "clean_geo", Do: Notebook{Name: "clean_geo", Cleans: "geo"}},
		{ID: "clean_user", After: dag.Tasks{"load"}, Pool: "clean_user", Do: Notebook{Name: "clean_user", Cleans: "user"}},
		{ID: "query", After: dag.Tasks{"clean_pin", "clean_geo", "clean_user"}, Pool: "query", Do: Notebook{Name: "query", Makes: notebooks.Answers}},
	},
	Schedule: dag.Schedule{Cron: "0 0 * * *", TimeZone: "UTC"}, // when the logical date is over
	Params:   NotebookParams,
	Deadline: 6 * time.Hour,
	// Two writes to one table conflict. Each notebook writes tables of its own, so each has one slot: dates
	// that run in parallel land in parallel and write in turn.
	Pools: []dag.Pool{{Name: "load", Slots: 1}, {Name: "clean_pin", Slots: 1}, {Name: "clean_geo", Slots: 1}, {Name: "clean_user", Slots: 1}, {Name: "query", Slots: 1}},
}
