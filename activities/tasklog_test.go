package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/landing"
)

func TestLogFields(t *testing.T) {
	t.Run("identify_input_and_result", func(t *testing.T) {
		landing1 := landing.PartitionInput{Topic: "pinflow.pin", Date: "2022-10-18", Range: landing.Range{Partition: 2, Start: 100, End: 250}}
		require.Equal(t, []any{"topic", "pinflow.pin", "partition", 2, "offsets", "100..250"}, LogFields(landing1))
		plan := landing.Plan{Topic: "pinflow.pin", Ranges: []landing.Range{{Start: 10, End: 15}, {Start: 7, End: 7}}}
		require.Equal(t, []any{"offsets", int64(5), "partitions", 2, "partial", false}, LogFields(plan))
		start := StartNotebookInput{Notebook: "clean_pin", Params: map[string]string{"schema": "private"}}
		require.NotContains(t, LogFields(start), "private", "parameters may be anything")
		require.Empty(t, LogFields("something else"))
		require.Empty(t, LogFields(nil))
	})
}
