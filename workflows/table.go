package workflows

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
)

// table is the DAG as a run records it in its first workflow task, and as it interprets it from
// then on. A build with another table changes only the runs that start later: without the record,
// the first workflow task on such a build would fail for ever, because its commands would not be
// those of the history.
type table struct {
	// Invalid is what is wrong with the input of the run; the run fails with it.
	Invalid    string        `json:"invalid,omitempty"`
	Tasks      []taskRow     `json:"tasks,omitempty"`
	Pools      []dag.Pool    `json:"pools,omitempty"` // of the tasks
	Hold       bool          `json:"hold,omitempty"`
	RunTimeout time.Duration `json:"runTimeout,omitempty"`
	// Reports is that of the catalog, for a DAG that rebuilds tables.
	Reports bool `json:"reports,omitempty"`
}

// taskRow is a row of a table.
type taskRow struct {
	dag.Task
	Do json.RawMessage `json:"do"`
}

// recordTable returns the table of the run from its history, which it enters first if the run is
// new.
//
// Runs with the same table share it, so that a worker with a thousand open runs has it once.
func (w Workflows) recordTable(ctx workflow.Context, in run.Input) (*readTable, error) {
	var recorded json.RawMessage
	now := workflow.Now(ctx)
	err := workflow.SideEffectWithOptions(ctx, workflow.SideEffectOptions{Summary: "the DAG of the run"}, func(workflow.Context) any {
		today, err := w.table(in, now)
		if err != nil {
			return table{Invalid: err.Error()}
		}
		return today
	}).Get(&recorded)
	if err != nil {
		return nil, err
	}
	if known, ok := w.tables.Load(string(recorded)); ok {
		return known.(*readTable), nil
	}
	read := &readTable{}
	if read.table, err = decodeTable(recorded); err != nil || read.Invalid != "" {
		return read, err
	}
	if read.dag, err = read.rows(w.Operators); err != nil {
		return nil, err
	}
	w.tables.Store(string(recorded), read)
	return read, nil
}

// decodeTable returns the table that a run has recorded. A setting that this build does not know is
// an error: without it, it would be another run. As those of operators (operators.ByName), settings
// that are not used are not recorded, so that a build that is rolled back blocks only the runs that
// use them.
func decodeTable(recorded json.RawMessage) (t table, err error) {
	settings := json.NewDecoder(bytes.NewReader(recorded))
	settings.DisallowUnknownFields()
	err = settings.Decode(&t) //workflowcheck:ignore // a function of what is recorded
	if err != nil {
		return table{}, fmt.Errorf("the DAG has settings that this build does not know (%w): deploy a build that knows them", err)
	}
	return t, nil
}

// readTable is a table with its operators. Runs share it and do not change it.
type readTable struct {
	table
	dag dag.DAG
}

// table returns the table of this build for a run with that input, or what is wrong with the input.
func (w Workflows) table(in run.Input, now time.Time) (table, error) {
	definition, err := w.Catalog.Definition(in.DAG)
	if err != nil {
		return table{}, err
	}
	if err := definition.CheckInput(in, now); err != nil {
		return table{}, err
	}
	t := table{Pools: w.Catalog.PoolsOf(definition.DAG), Hold: definition.Hold, RunTimeout: definition.RunTimeout, Reports: w.Catalog.Reports && len(definition.DAG.Tables()) > 0}
	for _, task := range definition.DAG {
		op, ok := task.Do.(operators.Operator)
		if !ok {
			return table{}, fmt.Errorf("task %s: %T cannot run: its operator needs a method Run", task.ID, task.Do)
		}
		do, err := w.Operators.Encode(op)
		if err != nil {
			return table{}, fmt.Errorf("task %s: %w", task.ID, err)
		}
		t.Tasks = append(t.Tasks, taskRow{Task: task, Do: do})
	}
	return t, nil
}

// rows returns the rows with their operators. It fails if this build lacks one of them.
func (t table) rows(codec operators.Codec) (dag.DAG, error) {
	d := make(dag.DAG, len(t.Tasks))
	for i, row := range t.Tasks {
		op, err := codec.Decode(row.Do)
		if err != nil {
			return nil, fmt.Errorf("task %s: %w", row.ID, err)
		}
		d[i] = row.Task
		d[i].Do = op
	}
	return d, nil
}

// slots returns how many slots the pool had when the run started; 0 if there is no such pool.
func (t table) slots(pool string) int { return dag.Catalog{Pools: t.Pools}.Slots(pool) }
