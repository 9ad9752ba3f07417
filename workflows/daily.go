package workflows

import "github.com/pinflow/pinflow/notebooks"

// DailyName is the name of the daily DAG: it leads the workflow ids of its dates and names its Schedule.
const DailyName = "pinterest-daily"

// Daily is the pipeline: land the day's records and load them, clean the three kinds side by side, answer the questions.
var Daily = DAG{
	{ID: "load", Pool: "load", Do: Load{Topics: []string{"pin", "geo", "user"}, Then: "load"}}, // Kafka → S3, then the notebook S3 → bronze
	{ID: "clean_pin", After: Tasks{"load"}, Pool: "clean_pin", Do: Notebook{Name: "clean_pin", Cleans: "pin"}},
	{ID: "clean_geo", After: Tasks{"load"}, Pool: "clean_geo", Do: Notebook{Name: "clean_geo", Cleans: "geo"}},
	{ID: "clean_user", After: Tasks{"load"}, Pool: "clean_user", Do: Notebook{Name: "clean_user", Cleans: "user"}},
	{ID: "query", After: Tasks{"clean_pin", "clean_geo", "clean_user"}, Pool: "query", Do: Notebook{Name: "query", Makes: notebooks.Answers}},
}

// Pools are the pools of the namespace. Each notebook writes tables of its own, and two writes that meet in one table conflict:
// so each has one slot, and dates that run in parallel land in parallel and write in turn.
var Pools = []Pool{
	{Name: "load", Slots: 1},
	{Name: "clean_pin", Slots: 1},
	{Name: "clean_geo", Slots: 1},
	{Name: "clean_user", Slots: 1},
	{Name: "query", Slots: 1},
}
