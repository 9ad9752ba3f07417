package dag

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCatalog(t *testing.T) {
	t.Run("validate_finds_the_mistakes_of_all_da_gs", func(t *testing.T) {
		require.NoError(t, NewCatalog(definition()).Validate())

		bad := Definition{Name: "bad", DAG: DAG{{ID: "a"}}}
		require.EqualError(t, NewCatalog(definition(), bad).Validate(), "DAG bad:\ntask \"a\" has no operator: set Do")

		twice := NewCatalog(definition(), definition()).Validate()
		require.EqualError(t, twice, "DAG diamond is defined twice\npool writes is defined twice")

		nameless := definition()
		nameless.Name, nameless.RunTimeout, nameless.Deadline = "Dia mond", -time.Second, -time.Second
		err := NewCatalog(nameless).Validate()
		require.ErrorContains(t, err, `name "Dia mond": want lower-case letters, digits and hyphens, starting with a letter`)
		require.ErrorContains(t, err, "run timeout and deadline must not be negative")
	})

	// The name of a pool is part of a workflow id.
	t.Run("pools_have_names_that_can_be_part_of_ids", func(t *testing.T) {
		for name, good := range map[string]bool{"writes": true, "clean_pin-2": true, "": false, "2022-10-18": false, "a.b": false, "A": false, "a b": false} {
			d := definition()
			d.DAG, d.Pools = DAG{{ID: "a", Pool: name, Do: does{}}}, []Pool{{Name: name, Slots: 1}}
			err := NewCatalog(d).Validate()
			if good {
				require.NoError(t, err, name)
			} else {
				require.ErrorContains(t, err, "a name has lower-case letters, digits, underscores and hyphens", name)
			}
		}
	})

	t.Run("tasks_may_use_the_pools_of_another_dag", func(t *testing.T) {
		guest := Definition{Name: "guest", DAG: DAG{{ID: "a", Pool: "writes", Do: does{}}}}
		c := NewCatalog(definition(), guest)
		require.NoError(t, c.Validate())
		require.Equal(t, []Pool{{Name: "writes", Slots: 1}}, c.PoolsOf(guest.DAG))
		require.Empty(t, c.PoolsOf(DAG{{ID: "a"}}))
		require.Equal(t, 1, c.Slots("writes"))
		require.Zero(t, c.Slots("reads"))
	})

	t.Run("an_unknown_dag_names_those_that_exist", func(t *testing.T) {
		other := Definition{Name: "other", DAG: DAG{{ID: "a", Do: does{}}}}
		c := NewCatalog(definition(), other)
		require.Equal(t, []string{"diamond", "other"}, c.Names())
		found, err := c.Definition("other")
		require.NoError(t, err)
		require.Equal(t, Tasks{"a"}, found.DAG.IDs())
		_, err = c.Definition("daily")
		require.EqualError(t, err, `no DAG "daily"; the DAGs are diamond, other`)
	})
}

func TestParams(t *testing.T) {
	t.Run("check_reports_all_mistakes_at_once", func(t *testing.T) {
		p := definition().Params
		require.NoError(t, p.Check(nil))
		require.NoError(t, p.Check(map[string]string{"schema": "anything", "invalid_followers": "null"}))
		require.EqualError(t, p.Check(map[string]string{"schema": "main", "shema": "main", "logical_date": "2022-10-18", "invalid_followers": "maybe"}),
			`parameter invalid_followers="maybe": want quarantine or null`+"\n"+
				`parameter "logical_date" is unknown; a run may set invalid_followers, schema`+"\n"+
				`parameter "shema" is unknown; a run may set invalid_followers, schema`)
	})
}

func TestWidth(t *testing.T) {
	load, clean := Task{ID: "load", Pool: "load", Do: does{}}, Task{ID: "clean", Pool: "clean", After: Tasks{"load"}, Do: does{}}
	c := Catalog{Pools: []Pool{{Name: "load", Slots: 1}, {Name: "clean", Slots: 3}, {Name: "other", Slots: 9}}}
	width, ok := c.Width(DAG{load, clean, {ID: "check", Pool: "clean", After: Tasks{"clean"}, Do: does{}}}, 64)
	require.True(t, ok)
	require.Equal(t, 4, width, "tasks of a pool share its slots")
	load.Do = does{Together: true}
	width, _ = c.Width(DAG{load, clean}, 64)
	require.Equal(t, 67, width, "a task that does several dates at once takes one slot for all of them")
	_, ok = c.Width(DAG{load, clean, {ID: "report", After: Tasks{"clean"}}}, 64)
	require.False(t, ok, "a task without a pool has no limit")
}
