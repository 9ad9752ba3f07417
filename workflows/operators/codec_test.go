package operators_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/workflowstest"
)

func TestByName(t *testing.T) {
	t.Run("names_an_operator_that_the_build_lacks", func(t *testing.T) {
		for recorded, want := range map[string]string{
			`{"spark": {}}`: `operator "spark" is unknown to this build, which has load, notebook: deploy a build that has it`,
			`{}`:            "want an object with one key",
			`"notebook"`:    "want an object with one key",
		} {
			_, err := operators.Default.Decode([]byte(recorded))
			require.ErrorContains(t, err, want)
		}
		_, err := operators.Default.Encode(workflowstest.Func(workflowstest.OK))
		require.ErrorContains(t, err, "no name under which a run can record it")
	})

	// A notebook without the setting is another notebook: it could load or overwrite what the run
	// leaves out.
	t.Run("refuses_a_setting_that_the_build_lacks", func(t *testing.T) {
		_, err := operators.Default.Decode([]byte(`{"notebook": {"name": "query", "onlyNew": true}}`))
		require.ErrorContains(t, err, `operator "notebook" has settings that this build does not know (json: unknown field "onlyNew"): deploy a build that knows them`)
	})

	// So that a build that is rolled back blocks only the runs that use what it lacks.
	t.Run("records_no_setting_that_is_not_used", func(t *testing.T) {
		always := map[string][]string{"load": {"topics", "notebook"}, "notebook": {"name"}}
		for name, zero := range operators.Default {
			recorded, err := operators.Default.Encode(reflect.Zero(reflect.TypeOf(zero)).Interface().(operators.Operator))
			require.NoError(t, err)
			var settings map[string]map[string]any
			require.NoError(t, json.Unmarshal(recorded, &settings))
			var got []string
			for setting := range settings[name] {
				got = append(got, setting)
			}
			require.ElementsMatch(t, always[name], got, "%s: a new setting has omitempty", name)
		}
	})
}
