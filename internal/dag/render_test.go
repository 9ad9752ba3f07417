package dag

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/run"
)

func TestRender(t *testing.T) {
	t.Run("text_mermaid_dot", func(t *testing.T) {
		states := map[string]run.State{"load": run.Success, "clean_pin": run.Success, "clean_geo": run.Failed, "clean_user": run.Running, "query": run.UpstreamFailed}
		state := func(id string) run.State { return states[id] }
		label := func(id string) string { return string(states[id]) }
		forest := DAG{
			{ID: "a"}, {ID: "b", After: Tasks{"a"}}, {ID: "c", After: Tasks{"b"}}, {ID: "d", After: Tasks{"a"}, TriggerRule: AllDone},
			{ID: "alone"}, {ID: "last", After: Tasks{"c", "alone"}, TriggerRule: OneFailed},
		}
		golden(t, "diamond.txt", diamond().Text(nil))
		golden(t, "diamond-states.txt", diamond().Text(label))
		golden(t, "diamond.mermaid", diamond().Mermaid(nil))
		golden(t, "diamond-states.mermaid", diamond().Mermaid(state))
		golden(t, "diamond.dot", diamond().Dot(nil))
		golden(t, "diamond-states.dot", diamond().Dot(state))
		golden(t, "forest.txt", forest.Text(nil))
		golden(t, "forest.mermaid", forest.Mermaid(nil))
		golden(t, "forest.dot", forest.Dot(nil))
	})
}

// anyDAG draws a valid DAG of up to eight tasks.
func anyDAG(t *rapid.T) DAG {
	var d DAG
	for i := range rapid.IntRange(1, 8).Draw(t, "tasks") {
		task := Task{ID: "t" + string(rune('a'+i)), Do: does{}}
		for _, above := range d {
			if rapid.Bool().Draw(t, "edge") {
				task.After = append(task.After, above.ID)
			}
		}
		d = append(d, task)
	}
	return d
}

func TestTree(t *testing.T) {
	t.Run("has_each_task_once_below_a_parent", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			d := anyDAG(t)
			require.NoError(t, d.Validate(nil))
			seen := map[string]int{}
			depth := -1
			for _, row := range d.Tree() {
				seen[row.ID]++
				require.LessOrEqual(t, row.Depth, depth+1, "%s is below no parent", row.ID)
				depth = row.Depth
			}
			for _, task := range d {
				require.Equal(t, 1, seen[task.ID], task.ID)
			}
		})
	})
}
