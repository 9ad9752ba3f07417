// Package startertest has DAGs, runs of them and golden files for the tests of the starter's
// packages. Its DAGs are its own, so that a change of the production DAG breaks no test here.
package startertest

import (
	"time"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/notebooks"
)

// Noon is the time of the tests: the day after 2022-10-18.
var Noon = time.Date(2022, 10, 19, 12, 0, 0, 0, time.UTC)

// At returns a moment of the day on which the runs of the tests take place.
func At(seconds int) time.Time { return Noon.Add(time.Duration(seconds) * time.Second) }

// Work is an operator that only has effects.
type Work dag.Effects

// Effects implements dag.Operator.
func (w Work) Effects() dag.Effects { return dag.Effects(w) }

// Pipeline is a DAG with a branch for each kind of record.
var Pipeline = dag.Definition{
	Name: "pipeline",
	DAG: dag.DAG{
		{ID: "load", Pool: "load", Do: Work{Lands: []string{"pin", "geo", "user"}}},
		{ID: "clean_pin", After: dag.Tasks{"load"}, Pool: "clean_pin", Do: Work{Cleans: "pin"}},
		{ID: "clean_geo", After: dag.Tasks{"load"}, Pool: "clean_geo", Do: Work{Cleans: "geo"}},
		{ID: "clean_user", After: dag.Tasks{"load"}, Pool: "clean_user", Do: Work{Cleans: "user"}},
		{ID: "query", After: dag.Tasks{"clean_pin", "clean_geo", "clean_user"}, Pool: "query", Do: Work{Rebuilds: notebooks.Answers}},
	},
	Schedule: dag.Schedule{Cron: "0 0 * * *", TimeZone: "UTC"},
	Params:   dag.Params{"schema": nil, "invalid_followers": {"quarantine", "null"}},
	Deadline: 6 * time.Hour,
	Pools: []dag.Pool{
		{Name: "load", Slots: 1}, {Name: "clean_pin", Slots: 1}, {Name: "clean_geo", Slots: 1}, {Name: "clean_user", Slots: 1}, {Name: "query", Slots: 1},
	},
}

// Notebooks holds the notebooks of the tests' build.
var Notebooks = []notebooks.Notebook{
	{Name: "load", Source: "-- Databricks notebook source\nCREATE TABLE IF NOT EXISTS pin_by_date (\n  topic STRING COMMENT 'Topic',\n  ind BIGINT COMMENT 'Index'\n);\n"},
	{Name: "query", Source: "-- Databricks notebook source\nSELECT 'query'\n"},
}

// Report is a second DAG. It rebuilds a table that internal/answers does not know.
var Report = dag.Definition{
	Name: "report",
	DAG: dag.DAG{
		{ID: "collect", Do: Work{Lands: []string{"pin"}}},
		{ID: "sum", After: dag.Tasks{"collect"}, Pool: "sums", Do: Work{Rebuilds: []string{"posts_by_week"}}},
	},
	Schedule: dag.Schedule{Cron: "30 4 * * *", TimeZone: "UTC"},
	Pools:    []dag.Pool{{Name: "sums", Slots: 2}},
}

// Catalogs of one DAG and of two.
var (
	Catalog = dag.NewCatalog(Pipeline)
	Several = dag.NewCatalog(Pipeline, Report)
)

// Command returns the command line of a subcommand, as for the only DAG of a build.
func Command(args string) string { return "starter " + args }

// RunOf returns a run of 2022-10-18 whose tasks are in the given states, in the order of the
// pipeline; missing ones are in state none.
func RunOf(state run.State, tasks ...run.Task) run.Status {
	status := run.Status{
		DAG: Pipeline.Name, Date: "2022-10-18", State: state, Trigger: run.Manual, WorkflowID: run.DefaultDeployment.WorkflowID(Pipeline.Name, "2022-10-18"), RunID: "r1",
		Started: At(0), Until: At(-12 * 3600),
	}
	if state.Final() {
		status.Ended = At(75)
	}
	for i, id := range Pipeline.DAG.IDs() {
		task := run.Task{ID: id, State: run.None}
		if i < len(tasks) {
			task = tasks[i]
			task.ID = id
		}
		status.Tasks = append(status.Tasks, task)
	}
	return status
}

// Loaded returns the first task of a run, done.
func Loaded() run.Task {
	return run.Task{
		State: run.Success, Tries: 1, Started: At(0), Ended: At(12), Outcome: run.Outcome{Rows: 9006, Link: "https://workspace/runs/6"},
	}
}

// Watched returns a run as it is watched: it waits, is paused, and tries a task again.
func Watched() []run.Status {
	first := RunOf(run.Running, run.Task{State: run.Running, Tries: 1, Started: At(-20)})
	second := RunOf(run.Running, Loaded(),
		run.Task{State: run.Running, Tries: 2, Started: At(-5), Error: "[DELTA_CONCURRENT_APPEND] another write came first, and this is a long story that does not fit the line"},
		run.Task{State: run.Queued, Started: At(-5), Waiting: "a slot of pool clean_geo"},
	)
	second.Paused = "ann: the source is being repaired (2022-10-19 12:00:00 UTC)"
	return []run.Status{first, second}
}
