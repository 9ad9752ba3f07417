package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	// The Kafka Connect S3 sink wrote bare values, one or many an object: their place is the
	// object's name.
	t.Run("accepts_bare_values", func(t *testing.T) {
		t.Parallel()
		const pin = `"unique_id":"00000000-0000-4000-8000-000000000001","follower_count":"1k","category":"art"}`
		objects := store{
			"s3://b/topics/u1.pin/dt=2022-10-18/partition=2/u1.pin+2+0000000007.json": []byte(`{"index":1,` + pin + "\r\n" + `[{"index":2,` + pin + `]` + "\nnot json\n"),
		}
		e := open(t, objects)
		runDate(t.Context(), t, e, "2022-10-18", "quarantine")
		ask := func(sql string) [][]any {
			table, err := e.Query(t.Context(), engine.Query{SQL: sql, Schema: "pins"})
			require.NoError(t, err)
			return table.Rows
		}
		require.Equal(t, [][]any{{int64(1), int64(1000)}, {int64(2), int64(1000)}}, ask("SELECT ind, follower_count FROM pin ORDER BY ind"))
		require.Equal(t, [][]any{{"u1.pin", int64(2), int64(7), "not a pin record", "not json"}},
			ask("SELECT topic, topic_partition, topic_offset, reason, value FROM pin_quarantine"))
	})
}
