package dag

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

func TestDAG_DailyIsValid(t *testing.T) {
	require.NoError(t, workflows.DefaultCatalog.Validate())
	require.Equal(t, Tasks{"load", "clean_pin", "clean_geo", "clean_user", "query"}, workflows.Daily.IDs())
	for _, task := range workflows.Daily {
		require.Equal(t, 1, workflows.DefaultCatalog.Slots(task.Pool), "each task writes tables of its own, one date at a time: %s", task.ID)
	}
}

func TestDAG_ValidateReportsAllMistakesAtOnce(t *testing.T) {
	do := workflows.Notebook{Name: "x"}
	for name, c := range map[string]struct {
		dag  DAG
		want []string
	}{
		"empty":          {DAG{}, []string{"the DAG has no tasks"}},
		"bad id":         {DAG{{ID: "Load it", Do: do}}, []string{`task "Load it": an id is small letters, digits and underscores`}},
		"no id":          {DAG{{Do: do}}, []string{`task "": an id is`}},
		"twice":          {DAG{{ID: "a", Do: do}, {ID: "a", Do: do}}, []string{`task "a" stands twice`}},
		"parent twice":   {DAG{{ID: "a", Do: do}, {ID: "b", After: Tasks{"a", "a"}, Do: do}}, []string{`task "b" names its parent "a" twice`}},
		"unknown parent": {DAG{{ID: "a", After: Tasks{"z"}, Do: do}}, []string{`task "a": its parent "z" is no task of this DAG`}},
		"below":          {DAG{{ID: "a", After: Tasks{"b"}, Do: do}, {ID: "b", Do: do}}, []string{`task "a": its parent "b" stands below it`}},
		"itself":         {DAG{{ID: "a", After: Tasks{"a"}, Do: do}}, []string{`task "a" and its parent "a" wait for each other: a cycle`}},
		"cycle": {DAG{{ID: "a", After: Tasks{"c"}, Do: do}, {ID: "b", After: Tasks{"a"}, Do: do}, {ID: "c", After: Tasks{"b"}, Do: do}},
			[]string{`task "a" and its parent "c" wait for each other: a cycle`}},
		"unknown rule":         {DAG{{ID: "a", TriggerRule: "most_success", Do: do}}, []string{`task "a": unknown trigger rule "most_success"; the rules are all_success, all_failed`}},
		"rule without parents": {DAG{{ID: "a", TriggerRule: OneFailed, Do: do}}, []string{`task "a": trigger rule one_failed says nothing`}},
		"nothing to do":        {DAG{{ID: "a"}}, []string{`task "a" does nothing`}},
		"no such pool":         {DAG{{ID: "a", Pool: "p", Do: do}}, []string{`task "a": there is no pool "p" with slots`}},
		"pool without slots":   {DAG{{ID: "a", Pool: "closed", Do: do}}, []string{`task "a": there is no pool "closed" with slots`}},
		"negative":             {DAG{{ID: "a", Tries: -1, Do: do}}, []string{`task "a": tries, delay and deadline are not negative`}},
		"can never run": {DAG{{ID: "a", Do: do}, {ID: "b", After: Tasks{"a"}, TriggerRule: AllFailed, Do: do}, {ID: "c", After: Tasks{"a", "b"}, Do: do}, {ID: "d", After: Tasks{"c"}, Do: do}},
			[]string{`task "c" can never run: its trigger rule all_success never holds, however a and b end`, `task "d" can never run`}},
		"nothing to count":       {DAG{{ID: "a", Do: do, Expect: Expect{MaxQuarantined: 5}}}, []string{`task "a": its operator workflows.Notebook cannot count what the task has expectations of`}},
		"holds for nothing":      {DAG{{ID: "a", Do: do, Expect: Expect{Hold: true}}}, []string{`task "a": it holds if an expectation is broken, but expects nothing`}},
		"impossible expectation": {DAG{{ID: "a", Do: workflows.Notebook{Name: "x", Cleans: "pin"}, Expect: Expect{MaxQuarantined: 101}}}, []string{`task "a": expected rows are not negative, and a share of records is between 0 and 100 percent`}},
		"many": {DAG{{ID: "a", After: Tasks{"z"}, TriggerRule: "x"}, {ID: "a", Pool: "p", Do: do}},
			[]string{`"z" is no task`, `unknown trigger rule "x"`, `"a" does nothing`, `"a" stands twice`, `no pool "p"`}},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.dag.Validate([]Pool{{Name: "closed"}, {Name: "open", Slots: 1}})
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.Len(t, unjoin(err), len(c.want), "%v", err)
		})
	}
}

// Each rule runs for some way of its parents to end, also of twenty: their combinations alone would take years to go through.
func TestDAG_ValidateRefusesNoRuleThatCanHold(t *testing.T) {
	for _, rule := range rules {
		d := DAG{{ID: "root", Do: workflows.Does(workflows.Ok)}}
		var all Tasks
		for i := range 20 {
			id := fmt.Sprintf("t%d", i)
			d, all = append(d, Task{ID: id, After: Tasks{"root"}, Do: workflows.Does(workflows.Ok)}), append(all, id)
		}
		d = append(d, Task{ID: "wide", After: all, TriggerRule: rule.name, Do: workflows.Does(workflows.Ok)}, Task{ID: "last", After: Tasks{"wide"}, TriggerRule: AllDone, Do: workflows.Does(workflows.Ok)})
		require.NoError(t, d.Validate(nil), rule.name)
	}
}

func unjoin(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // the join itself is looked at
	if !ok {
		return nil
	}
	return joined.Unwrap()
}

func TestDAG_CatalogNamesTheDAGOfEachMistake(t *testing.T) {
	c := Catalog{DAGs: []Definition{{Name: "good", DAG: workflows.Daily}, {Name: "bad", DAG: DAG{{ID: "a"}}}}, Pools: workflows.Pools}
	require.EqualError(t, c.Validate(), "DAG bad:\ntask \"a\" does nothing: it has no operator")
}

func TestDAG_LookupNamesWhatThereIs(t *testing.T) {
	dag, err := workflows.DefaultCatalog.DAG(workflows.DailyName)
	require.NoError(t, err)
	require.Equal(t, workflows.Daily.IDs(), dag.IDs())
	_, err = workflows.DefaultCatalog.DAG("daily")
	require.EqualError(t, err, `no DAG "daily": there are pinterest-daily`)
}

func TestDAG_FromIsTheTasksAndAllAfterThem(t *testing.T) {
	for name, c := range map[string]struct{ ids, want Tasks }{
		"root":     {Tasks{"load"}, workflows.Daily.IDs()},
		"middle":   {Tasks{"clean_geo"}, Tasks{"clean_geo", "query"}},
		"two":      {Tasks{"query", "clean_pin"}, Tasks{"clean_pin", "query"}},
		"leaf":     {Tasks{"query"}, Tasks{"query"}},
		"nothing":  {nil, nil},
		"repeated": {Tasks{"query", "query"}, Tasks{"query"}},
	} {
		t.Run(name, func(t *testing.T) {
			again, err := workflows.Daily.From(c.ids...)
			require.NoError(t, err)
			require.Equal(t, c.want, again)
		})
	}
	_, err := workflows.Daily.From("clean_geo", "cleen", "kwery")
	require.ErrorContains(t, err, `no task "cleen" in this DAG: its tasks are load, clean_pin, clean_geo, clean_user, query`)
	require.ErrorContains(t, err, `no task "kwery"`)
}

func TestDAG_LeavesAreTheTasksNobodyWaitsFor(t *testing.T) {
	require.Equal(t, Tasks{"query"}, workflows.Daily.Leaves())
	require.Equal(t, Tasks{"b", "c"}, DAG{{ID: "a"}, {ID: "b", After: Tasks{"a"}}, {ID: "c"}}.Leaves())
}

// anyDAG draws a valid DAG of some tasks.
func anyDAG(t *rapid.T) DAG {
	var d DAG
	for i := range rapid.IntRange(1, 8).Draw(t, "tasks") {
		task := Task{ID: "t" + string(rune('a'+i)), Do: workflows.Notebook{Name: "x"}}
		for _, above := range d {
			if rapid.Bool().Draw(t, "edge") {
				task.After = append(task.After, above.ID)
			}
		}
		d = append(d, task)
	}
	return d
}

func TestDAG_TreeHoldsEachTaskOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDAG(t)
		if err := d.Validate(nil); err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		depth := -1
		for _, row := range d.Tree() {
			seen[row.ID]++
			if row.Depth > depth+1 {
				t.Fatalf("%s stands under nothing", row.ID)
			}
			depth = row.Depth
		}
		for _, task := range d {
			if seen[task.ID] != 1 {
				t.Fatalf("%s stands %d times", task.ID, seen[task.ID])
			}
		}
	})
}

// golden compares with a file under testdata; PINFLOW_GOLDEN=write writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("PINFLOW_GOLDEN") == "write" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestRender_TextMermaidDot(t *testing.T) {
	states := map[string]run.State{"load": run.Success, "clean_pin": run.Success, "clean_geo": run.Failed, "clean_user": run.Running, "query": run.UpstreamFailed}
	state := func(id string) run.State { return states[id] }
	label := func(id string) string { return string(states[id]) }
	forest := DAG{
		{ID: "a"}, {ID: "b", After: Tasks{"a"}}, {ID: "c", After: Tasks{"b"}}, {ID: "d", After: Tasks{"a"}, TriggerRule: AllDone},
		{ID: "alone"}, {ID: "last", After: Tasks{"c", "alone"}, TriggerRule: OneFailed},
	}
	golden(t, "daily.txt", workflows.Daily.Text(nil))
	golden(t, "daily-states.txt", workflows.Daily.Text(label))
	golden(t, "daily.mermaid", workflows.Daily.Mermaid(nil))
	golden(t, "daily-states.mermaid", workflows.Daily.Mermaid(state))
	golden(t, "daily.dot", workflows.Daily.Dot(nil))
	golden(t, "daily-states.dot", workflows.Daily.Dot(state))
	golden(t, "forest.txt", forest.Text(nil))
	golden(t, "forest.mermaid", forest.Mermaid(nil))
	golden(t, "forest.dot", forest.Dot(nil))
}

func TestTask_Defaults(t *testing.T) {
	require.Equal(t, 2, Task{}.MaxTries())
	require.Equal(t, 10*time.Second, Task{}.DelayBetweenTries())
	require.Equal(t, 1, Task{Tries: 1}.MaxTries())
}
