package dag

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
)

func TestDAG(t *testing.T) {
	t.Run("from_is_the_tasks_and_all_downstream_of_them", func(t *testing.T) {
		for name, c := range map[string]struct{ ids, want Tasks }{
			"root":     {Tasks{"load"}, diamond().IDs()},
			"middle":   {Tasks{"clean_geo"}, Tasks{"clean_geo", "query"}},
			"two":      {Tasks{"query", "clean_pin"}, Tasks{"clean_pin", "query"}},
			"leaf":     {Tasks{"query"}, Tasks{"query"}},
			"nothing":  {nil, nil},
			"repeated": {Tasks{"query", "query"}, Tasks{"query"}},
		} {
			t.Run(name, func(t *testing.T) {
				again, err := diamond().From(c.ids...)
				require.NoError(t, err)
				require.Equal(t, c.want, again)
			})
		}
		_, err := diamond().From("clean_geo", "cleen", "kwery")
		require.ErrorContains(t, err, `no task "cleen" in this DAG; its tasks are load, clean_pin, clean_geo, clean_user, query`)
		require.ErrorContains(t, err, `no task "kwery"`)
	})

	t.Run("below_excludes_the_task_itself", func(t *testing.T) {
		require.Equal(t, Tasks{"clean_pin", "clean_geo", "clean_user", "query"}, diamond().Below("load"))
		require.Empty(t, diamond().Below("query"))
	})

	t.Run("leaves_are_the_tasks_without_children", func(t *testing.T) {
		require.Equal(t, Tasks{"query"}, diamond().Leaves())
		require.Equal(t, Tasks{"b", "c"}, DAG{{ID: "a"}, {ID: "b", After: Tasks{"a"}}, {ID: "c"}}.Leaves())
	})

	t.Run("knows_what_its_tasks_leave_behind", func(t *testing.T) {
		d := diamond()
		require.Equal(t, []string{"answer_1", "answer_2"}, d.Tables())
		require.Equal(t, []string{"pin", "geo"}, d.Kinds())
		maker, ok := d.Maker("answer_2")
		require.True(t, ok)
		require.Equal(t, "query", maker.ID)
		_, ok = d.Maker("answer_3")
		require.False(t, ok)
		tasks, topics := d.Sources("query")
		require.Equal(t, Tasks{"load", "clean_pin", "clean_geo", "clean_user"}, tasks)
		require.Equal(t, Tasks{"pin", "geo"}, topics)
	})

	t.Run("check_skips_allows_only_children", func(t *testing.T) {
		require.NoError(t, diamond().CheckSkips("load", run.Outcome{SkipChildren: Tasks{"clean_pin"}}))
		require.EqualError(t, diamond().CheckSkips("load", run.Outcome{SkipChildren: Tasks{"query"}}),
			`task load skips "query", which is not one of its children: clean_pin, clean_geo, clean_user`)
	})
}

func TestTask(t *testing.T) {
	t.Run("defaults", func(t *testing.T) {
		require.Equal(t, 2, Task{}.MaxTries())
		require.Equal(t, 10*time.Second, Task{}.DelayBetweenTries())
		require.Equal(t, 1, Task{Tries: 1}.MaxTries())
	})
}
