package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/landing"
)

func TestLogFields(t *testing.T) {
	t.Run("identify_input_and_result", func(t *testing.T) {
		ranges := []landing.Range{{Partition: 2, Start: 100, End: 250}, {Partition: 3, Start: 7, End: 9}}
		land := landing.PartitionsInput{Topic: "pinflow.pin", Date: "2022-10-18", Ranges: ranges}
		require.Equal(t, []any{"topic", "pinflow.pin", "ranges", []string{"2:100..250", "3:7..9"}}, LogFields(land))
		plan := landing.Plan{Topic: "pinflow.pin", Ranges: []landing.Range{{Start: 10, End: 15}, {Start: 7, End: 7}}}
		require.Equal(t, []any{"offsets", int64(5), "partitions", 2, "partial", false}, LogFields(plan))
		start := StartNotebookInput{Notebook: "clean_pin", Params: map[string]string{"schema": "private"}}
		require.NotContains(t, LogFields(start), "private", "parameters may be anything")
		require.Empty(t, LogFields("something else"))
		require.Empty(t, LogFields(nil))
	})
}
