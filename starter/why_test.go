package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
)

// record is a task that has succeeded, so many seconds after the start of its run.
func record(id string, from, to int, out run.Outcome) run.Task {
	return run.Task{ID: id, State: "success", Tries: 1, Started: at(from), Ended: at(to), Outcome: out}
}

// rebuilt puts the ledger entry of a date there, whose tasks ended so many seconds after noon.
func (w *world) rebuilt(t *testing.T, date dates.Date, seconds int, change func(*ledger.Entry)) {
	notebook := func(name string, job int64, rows int64) run.Outcome {
		return run.Outcome{JobRunID: job, Notebook: "/Shared/pinflow/" + name, NotebookHash: strings.Repeat("0a", 32), Rows: rows}
	}
	entry := ledger.Entry{Status: run.Status{
		DAG: "pipeline", Date: date, State: "success", Trigger: "schedule", WorkflowID: "pipeline-" + string(date), RunID: "r-" + string(date),
		Started: at(seconds), Ended: at(seconds + 10), Tasks: []run.Task{
			record("load", seconds, seconds+2, notebook("load", 1, 30)), record("clean_pin", seconds+2, seconds+4, notebook("clean_pin", 2, 9)),
			record("clean_geo", seconds+2, seconds+4, notebook("clean_geo", 3, 10)), record("clean_user", seconds+2, seconds+4, notebook("clean_user", 4, 10)),
			record("query", seconds+5, seconds+7, notebook("query", 5, 42)),
		},
	}}
	entry.Tasks[1].Quarantined, entry.Tasks[1].Tries = 1, 2
	entry.Tasks[4].Tables = []run.TableRows{{Table: "users_joined_by_year", Rows: 6}}
	if change != nil {
		change(&entry)
	}
	w.put(t, "runs/pipeline/"+string(date)+".json", entry)
}

func TestWhy(t *testing.T) {
	t.Parallel()
	t.Run("tells_notebooks_objects_runs_and_tries", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.rebuilt(t, "2022-10-16", -100, nil)
		w.rebuilt(t, "2022-10-17", -50, nil)
		w.rebuilt(t, "2022-10-18", 0, nil)
		w.rebuilt(t, "2022-10-15", 3600, nil) // backfilled afterwards
		w.put(t, "manifests/pinflow.pin/2022-10-18.json", landing.Manifest{Topic: "pinflow.pin", Date: "2022-10-18", Records: 10, Partitions: []landing.ManifestPartition{
			{Partition: 0, Start: 5, End: 15, Objects: []landing.Object{
				{Key: "topics/pinflow.pin/dt=2022-10-18/partition=0/pinflow.pin+0+0000000005.json", Partition: 0, Start: 5, End: 15, Records: 10, SHA256: strings.Repeat("f", 64)},
			}},
			{Partition: 1, Objects: []landing.Object{{Key: "topics/pinflow.pin/dt=2022-10-18/partition=1/pinflow.pin+1+empty.json", Partition: 1, Empty: true, SHA256: strings.Repeat("e", 64)}}},
		}})
		code, stdout, stderr := w.starter(t, "why", "users_joined_by_year", "2022-10-18")
		require.Zero(t, code, stderr)
		golden(t, "why", stdout)

		_, stdout, _ = w.starter(t, "why", "users_joined_by_year", "2022-10-18", "-o", "json")
		var l history.Lineage
		require.NoError(t, json.Unmarshal([]byte(stdout), &l))
		require.Equal(t, []dates.Date{"2022-10-16", "2022-10-17"}, l.Earlier)
		require.EqualValues(t, "2022-10-15", l.RebuiltBy)
		require.EqualValues(t, 6, *l.Rows)
		require.Equal(t, "s3://bucket/topics/pinflow.pin/dt=2022-10-18/partition=0/pinflow.pin+0+0000000005.json", l.Landed[0].Partitions[0].Objects[0].Key)
	})

	t.Run("says_why_there_is_nothing_to_tell", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		code, _, stderr := w.starter(t, "why", "users", "2022-10-18")
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, `no task of pipeline rebuilds "users"; the tables are most_popular_category_by_country`)
		code, _, stderr = w.starter(t, "why", "users_joined_by_year", "2022-10-18")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "2022-10-18 has not run yet")
		w.rebuilt(t, "2022-10-18", 0, func(e *ledger.Entry) { e.State, e.Tasks[4].State = "failed", "upstream_failed" })
		code, _, stderr = w.starter(t, "why", "users_joined_by_year", "2022-10-18")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "its task query is upstream_failed; see `starter status 2022-10-18`")
		w.write(t, "manifests/pinflow.pin/2022-10-18.json", []byte("{"))
		w.rebuilt(t, "2022-10-18", 0, nil)
		code, _, stderr = w.starter(t, "why", "users_joined_by_year", "2022-10-18")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "rerun the load of the date")
	})
}
