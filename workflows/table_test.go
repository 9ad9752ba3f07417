package workflows

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
)

// requireSet fails if a field has its zero value: the test of a struct would leave the field out.
func requireSet(t *testing.T, value any, except ...string) {
	t.Helper()
	fields := reflect.ValueOf(value)
	for i := range fields.NumField() {
		if name := fields.Type().Field(i).Name; !slices.Contains(except, name) {
			require.False(t, fields.Field(i).IsZero(), "%T: the test leaves %s out", value, name)
		}
	}
}

func TestTable(t *testing.T) {
	w := Workflows{Catalog: dag.NewCatalog(pooledPipeline()), Operators: operators.Default}
	recorded := func(t *testing.T) []byte {
		table, err := w.table(run.Input{DAG: pipelineDAG, Date: someDay}, noon)
		require.NoError(t, err)
		body, err := json.MarshalIndent(table, "", "  ")
		require.NoError(t, err)
		return append(body, '\n')
	}

	// Open runs have recorded these names: a field that is renamed would be lost to them.
	t.Run("is_recorded_under_names_that_stay", func(t *testing.T) {
		requireGolden(t, "table.json", string(recorded(t)))
	})

	t.Run("gives_back_the_dag_that_was_recorded", func(t *testing.T) {
		var again table
		require.NoError(t, json.Unmarshal(recorded(t), &again))
		rows, err := again.rows(operators.Default)
		require.NoError(t, err)
		require.Equal(t, pooledPipeline().DAG, rows)
		for _, pool := range pooledPipeline().Pools {
			require.Equal(t, pool.Slots, again.slots(pool.Name))
		}
	})

	t.Run("gives_back_every_field_of_a_task", func(t *testing.T) {
		task := dag.Task{
			ID: "a", After: dag.Tasks{"b"}, TriggerRule: dag.AllDone, Tries: 3, RetryDelay: 4, Timeout: 5, Pool: "p", DependsOnPast: true,
			Expect: dag.Expect{MinRows: 1, MaxQuarantined: 2, NotEmpty: true, WarnQuarantined: 3, WarnEmpty: true, Hold: true},
		}
		requireSet(t, task, "Do")
		requireSet(t, task.Expect)
		requireSet(t, operators.Notebook{Name: "n", Params: map[string]string{"x": "y"}, Together: true, AllowFailures: true, Cleans: "pin", Rebuilds: []string{"t"}})
		requireSet(t, operators.Load{Topics: []string{"pin"}, Optional: []string{"post"}, Notebook: "load", SkipEmpty: true, Together: true})
		for _, op := range []operators.Operator{
			operators.Notebook{Name: "n", Params: map[string]string{"x": "y"}, Together: true, AllowFailures: true, Cleans: "pin", Rebuilds: []string{"t"}},
			operators.Load{Topics: []string{"pin"}, Optional: []string{"post"}, Notebook: "load", SkipEmpty: true, Together: true},
		} {
			do, err := operators.Default.Encode(op)
			require.NoError(t, err)
			body, err := json.Marshal(table{Tasks: []taskRow{{Task: task, Do: do}}})
			require.NoError(t, err)
			var again table
			require.NoError(t, json.Unmarshal(body, &again))
			rows, err := again.rows(operators.Default)
			require.NoError(t, err)
			want := task
			want.Do = op
			require.Equal(t, dag.DAG{want}, rows)
		}
	})
}
