package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/startertest"
)

const (
	wideTasks = 40
	wideTable = "answers_that_are_rebuilt_daily"
)

// wideName is the id of a task: thirty characters.
func wideName(i int) string { return fmt.Sprintf("clean_the_records_of_source_%02d", i) }

// fan is a DAG of forty tasks with long names: a root, many tasks side by side, some of them in
// twos, and a leaf after all of them. chain has them one after the other.
func fan() dag.DAG {
	d := dag.DAG{{ID: wideName(0), Pool: "writes", Do: startertest.Work{Lands: []string{"pin"}}}}
	leaf := dag.Task{ID: wideName(wideTasks - 1), Pool: "writes", Do: startertest.Work{Rebuilds: []string{wideTable}}}
	for i := 1; i < wideTasks-1; i++ {
		after := dag.Tasks{wideName(0)}
		if i%5 == 0 {
			after = dag.Tasks{wideName(i - 1)}
		}
		d = append(d, dag.Task{ID: wideName(i), After: after, Pool: "writes", Do: startertest.Work{Cleans: "pin"}})
		leaf.After = append(leaf.After, wideName(i))
	}
	return append(d, leaf)
}

func chain() dag.DAG {
	d := fan()
	for i := range d[1:] {
		d[i+1].After = dag.Tasks{wideName(i)}
	}
	return d
}

// wideWorld is a world of one DAG, with runs of two weeks, two of which failed.
func wideWorld(t *testing.T, d dag.DAG) *world {
	w := newWorld()
	definition := startertest.Pipeline
	definition.DAG, definition.Pools = d, []dag.Pool{{Name: "writes", Slots: 1}}
	w.catalog = dag.NewCatalog(definition)
	for date := dates.Date("2022-10-01"); date <= "2022-10-18"; date = date.Add(1) {
		w.record(t, wideEntry(d, date))
	}
	w.visible(t, visibleRun{date: "2022-10-18", runID: "0123456789abcdef0123456789abcdef0123", status: failed, started: dates.Date("2022-10-18").End(), closed: dates.Date("2022-10-18").End().Add(time.Hour)})
	w.put(t, "manifests/pinflow.pin/2022-10-17.json", landing.Manifest{Topic: "pinflow.pin", Date: "2022-10-17", Records: 10, Partitions: []landing.ManifestPartition{
		{Start: 5, End: 15, Objects: []landing.Object{
			{Key: "topics/pinflow.pin/dt=2022-10-17/partition=0/pinflow.pin+0+0000000005.json", Start: 5, End: 15, Records: 10, SHA256: strings.Repeat("f", 64)},
		}},
	}})
	return w
}

// wideEntry is the run of a date: on 2022-10-18 two tasks failed.
func wideEntry(d dag.DAG, date dates.Date) ledger.Entry {
	began := date.End()
	entry := ledger.Entry{Attempt: 1, Status: run.Status{
		DAG: pipeline, Date: date, State: run.Success, Trigger: run.Scheduled, WorkflowID: run.DefaultDeployment.WorkflowID(pipeline, date), RunID: "run-" + string(date),
		Started: began, Ended: began.Add(time.Hour),
	}}
	for i, t := range d {
		task := run.Task{
			ID: t.ID, State: run.Success, Tries: 1 + i%3, Started: began.Add(time.Duration(i) * time.Minute), Ended: began.Add(time.Duration(i+10) * time.Minute),
			Outcome: run.Outcome{Rows: int64(i) * 123_456, JobRunID: 123_456_789_012 + int64(i), Link: "https://adb-1234567890123456.7.azuredatabricks.net/?o=1234567890123456#job/1/run/2",
				Notebook: "/Shared/pinflow/" + t.ID, NotebookHash: strings.Repeat("0a", 32), Quarantined: int64(i)},
		}
		if date == "2022-10-18" && (i == 7 || i == 8) {
			task.State, entry.State = run.Failed, run.Failed
			task.Error = fmt.Sprintf("%s %s %s try 2 ended as FAILED\ntask %s: [TABLE_OR_VIEW_NOT_FOUND] The table or view `pinterest`.`nowhere_to_be_found_at_all` cannot be found. Verify the spelling\n%s\nrun page: https://workspace",
				pipeline, date, t.ID, t.ID, strings.Repeat("SELECT nonsense\n", 40))
		}
		if date == "2022-10-18" && i == wideTasks-1 {
			task = run.Task{ID: t.ID, State: run.UpstreamFailed}
		}
		entry.Tasks = append(entry.Tasks, task)
	}
	return entry
}

// A DAG of forty tasks with names of thirty characters fits each view, at 80 and 120 columns; in a
// pipe nothing is cut.
func TestWideDAGs(t *testing.T) {
	lines := map[string]string{
		"status": "status 2022-10-18", "graph": "graph 2022-10-18", "plain-graph": "graph", "grid": "grid", "gantt": "gantt 2022-10-18", "calendar": "calendar --year 2022",
		"why": "why " + wideTable + " 2022-10-17", "runs": "runs", "overview": "status", "diff": "diff 2022-10-17 2022-10-18",
	}
	for shape, d := range map[string]dag.DAG{"fan": fan(), "chain": chain()} {
		for name, line := range lines {
			if shape == "chain" && !strings.Contains(name, "graph") {
				continue // only a drawing of the DAG depends on its shape
			}
			for _, columns := range []string{"80", "120", ""} {
				at := columns
				if at == "" {
					at = "piped"
				}
				t.Run(shape+" "+name+" "+at, func(t *testing.T) {
					t.Setenv("COLUMNS", columns)
					w := wideWorld(t, d)
					if name == "overview" {
						w.visible(t) // nothing is running
					}
					_, stdout, stderr := w.line(t, line)
					require.NotEmpty(t, stdout, stderr)
					widest := 0
					for l := range strings.SplitSeq(stdout, "\n") {
						if !strings.Contains(l, "http") { // a URL remains whole, so that it can be clicked
							widest = max(widest, text.StringWidthWithoutEscSequences(l))
						}
						require.Equal(t, strings.TrimRight(l, " "), l, "no blanks at the end")
					}
					switch columns {
					case "80":
						require.LessOrEqual(t, widest, 80)
					case "120":
						require.LessOrEqual(t, widest, 120)
					default:
						if name != "diff" { // it shows the start of hashes
							require.NotContains(t, stdout, "…", "nothing is cut")
						}
					}
					if name != "calendar" && name != "runs" && name != "overview" {
						for _, task := range d {
							if name == "why" && task.ID != wideName(wideTasks-1) || name == "diff" {
								continue
							}
							require.Contains(t, stdout, task.ID, "names are whole")
						}
					}
					golden(t, fmt.Sprintf("wide-%s-%s-%s", shape, name, at), stdout)
				})
			}
		}
	}
}
