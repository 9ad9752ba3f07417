package dag

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidate(t *testing.T) {
	t.Run("reports_all_mistakes_at_once", func(t *testing.T) {
		do := does{}
		for name, c := range map[string]struct {
			dag  DAG
			want []string
		}{
			"empty":          {DAG{}, []string{"the DAG has no tasks"}},
			"bad id":         {DAG{{ID: "Load it", Do: do}}, []string{`task "Load it": an id has lower-case letters, digits and underscores`}},
			"no id":          {DAG{{Do: do}}, []string{`task "": an id has`}},
			"twice":          {DAG{{ID: "a", Do: do}, {ID: "a", Do: do}}, []string{`task "a" is defined twice`}},
			"parent twice":   {DAG{{ID: "a", Do: do}, {ID: "b", After: Tasks{"a", "a"}, Do: do}}, []string{`task "b" names its parent "a" twice`}},
			"unknown parent": {DAG{{ID: "a", After: Tasks{"z"}, Do: do}}, []string{`task "a": its parent "z" is not a task of this DAG`}},
			"below":          {DAG{{ID: "a", After: Tasks{"b"}, Do: do}, {ID: "b", Do: do}}, []string{`task "a": its parent "b" is below it in the table; move the parent above it`}},
			"itself":         {DAG{{ID: "a", After: Tasks{"a"}, Do: do}}, []string{`task "a" and its parent "a" wait for each other: a cycle`}},
			"cycle": {DAG{{ID: "a", After: Tasks{"c"}, Do: do}, {ID: "b", After: Tasks{"a"}, Do: do}, {ID: "c", After: Tasks{"b"}, Do: do}},
				[]string{`task "a" and its parent "c" wait for each other: a cycle`}},
			"unknown rule":         {DAG{{ID: "a", TriggerRule: "most_success", Do: do}}, []string{`task "a": unknown trigger rule "most_success"; the rules are all_success, all_failed`}},
			"rule without parents": {DAG{{ID: "a", TriggerRule: OneFailed, Do: do}}, []string{`task "a": trigger rule one_failed has no effect without parents`}},
			"no operator":          {DAG{{ID: "a"}}, []string{`task "a" has no operator: set Do`}},
			"no such pool":         {DAG{{ID: "a", Pool: "p", Do: do}}, []string{`task "a": no pool "p" with slots`}},
			"pool without slots":   {DAG{{ID: "a", Pool: "closed", Do: do}}, []string{`task "a": no pool "closed" with slots`}},
			"negative":             {DAG{{ID: "a", Tries: -1, Do: do}}, []string{`task "a": Tries, RetryDelay and Timeout must not be negative`}},
			"can never run": {DAG{{ID: "a", Do: do}, {ID: "b", After: Tasks{"a"}, TriggerRule: AllFailed, Do: do}, {ID: "c", After: Tasks{"a", "b"}, Do: do}, {ID: "d", After: Tasks{"c"}, Do: do}},
				[]string{`task "c" can never run: its trigger rule all_success never holds, however a and b end`, `task "d" can never run`}},
			"nothing to count":       {DAG{{ID: "a", Do: do, Expect: Expect{MaxQuarantined: 5}}}, []string{`task "a": its operator dag.does cannot count what the task expects`}},
			"no tables":              {DAG{{ID: "a", Do: do, Expect: Expect{NotEmpty: true}}}, []string{`task "a": its operator dag.does cannot count what the task expects`}},
			"holds for nothing":      {DAG{{ID: "a", Do: do, Expect: Expect{Hold: true}}}, []string{`task "a": Expect.Hold is set, but nothing is expected`}},
			"impossible expectation": {DAG{{ID: "a", Do: does{Cleans: "pin"}, Expect: Expect{MaxQuarantined: 101}}}, []string{`task "a": MinRows must not be negative, and MaxQuarantined and WarnQuarantined are between 0 and 100 percent`}},
			"many": {DAG{{ID: "a", After: Tasks{"z"}, TriggerRule: "x"}, {ID: "a", Pool: "p", Do: do}},
				[]string{`"z" is not a task`, `unknown trigger rule "x"`, `"a" has no operator`, `"a" is defined twice`, `no pool "p"`}},
		} {
			t.Run(name, func(t *testing.T) {
				err := c.dag.Validate([]Pool{{Name: "closed"}, {Name: "open", Slots: 1}})
				for _, want := range c.want {
					require.ErrorContains(t, err, want)
				}
				require.Len(t, unjoin(err), len(c.want), "%v", err)
			})
		}
		require.NoError(t, diamond().Validate(definition().Pools))
	})

	// Each rule holds for some states of its parents. Enumerating the states of twenty parents
	// would take years.
	t.Run("accepts_every_rule_that_can_hold", func(t *testing.T) {
		for _, rule := range rules {
			d := DAG{{ID: "root", Do: does{}}}
			var all Tasks
			for i := range 20 {
				id := fmt.Sprintf("t%d", i)
				d, all = append(d, Task{ID: id, After: Tasks{"root"}, Do: does{}}), append(all, id)
			}
			d = append(d, Task{ID: "wide", After: all, TriggerRule: rule.name, Do: does{}}, Task{ID: "last", After: Tasks{"wide"}, TriggerRule: AllDone, Do: does{}})
			require.NoError(t, d.Validate(nil), rule.name)
		}
	})
}

func unjoin(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // the outermost error is the join
	if !ok {
		return nil
	}
	return joined.Unwrap()
}
