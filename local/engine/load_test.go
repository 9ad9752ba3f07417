package engine_test

import (
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/reference"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	// What landing did not judge is kept and not parsed: each engine would read it in its own way.
	t.Run("keeps_other_lines_as_text", func(t *testing.T) {
		t.Parallel()
		const bare = `{"index":1,"unique_id":"00000000-0000-4000-8000-000000000001","follower_count":"1k","category":"art"}`
		objects := store{
			"s3://b/topics/u1.pin/dt=2022-10-18/partition=2/u1.pin+2+0000000007.json": []byte(bare + "\r\nnot json\rone\n\n" + `{"topic":"u1.pin","partition":2}`),
		}
		e := open(t, objects)
		runDate(t.Context(), t, e, "2022-10-18", "quarantine")
		ask := func(sql string) [][]any {
			table, err := e.Query(t.Context(), engine.Query{SQL: sql, Schema: "pins"})
			require.NoError(t, err)
			return table.Rows
		}
		require.Empty(t, ask("SELECT * FROM pin"))
		var want [][]any
		for _, line := range []string{"not json", "one", bare, `{"topic":"u1.pin","partition":2}`} {
			want = append(want, []any{"u1.pin", int64(2), int64(7), "not a pin record", line})
		}
		require.ElementsMatch(t, want, ask("SELECT topic, topic_partition, topic_offset, reason, value FROM pin_quarantine"))
	})

	t.Run("keeps_tombstones_apart_from_empty_values", func(t *testing.T) {
		t.Parallel()
		landed := []reference.Record{
			{Kind: "pin", Date: "2022-10-18", Offset: 1, Key: []byte("7"), Value: nil},
			{Kind: "pin", Date: "2022-10-18", Offset: 2, Key: []byte{}, Value: []byte{}},
			{Kind: "pin", Date: "2022-10-18", Offset: 3, Value: nil, Headers: []kafkago.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte{0xff}}, {Key: "b"}}},
			{Kind: "pin", Date: "2022-10-18", Offset: 4, Value: []byte("x"), Headers: []kafkago.Header{{Key: `,"text":null}`, Value: []byte{}}}},
		}
		objects := store{
			// Lines of before there were headers, and a line that is no envelope.
			"s3://b/topics/u1.pin/dt=2022-10-18/partition=2/u1.pin+2+0000000007.json": []byte(
				`{"topic":"u1.pin","partition":2,"offset":7,"timestamp":5,"key":null,"text":"old"}` + "\n" +
					`{"topic":"u1.pin","partition":2,"offset":8,"timestamp":5,"key":null}` + "\n"),
		}
		objects.land(t, landed, "0000000001")
		e := open(t, objects)
		runDate(t.Context(), t, e, "2022-10-18", "quarantine")
		ask := func(sql string) [][]any {
			table, err := e.Query(t.Context(), engine.Query{SQL: sql, Schema: "pins"})
			require.NoError(t, err)
			return table.Rows
		}
		header := func(key, value, base64 any) any { return map[string]any{"key": key, "value": value, "base64": base64} }
		require.Equal(t, [][]any{
			{int64(0), int64(1), "7", nil, nil, false},
			{int64(0), int64(2), "", nil, "", false},
			{int64(0), int64(3), nil, []any{header("a", "1", nil), header("a", nil, "/w=="), header("b", nil, nil)}, nil, false},
			{int64(0), int64(4), nil, []any{header(`,"text":null}`, "", nil)}, "x", false},
			{int64(2), int64(7), nil, nil, "old", false},
			{int64(2), int64(7), nil, nil, `{"topic":"u1.pin","partition":2,"offset":8,"timestamp":5,"key":null}`, false},
		}, ask("SELECT topic_partition, topic_offset, key, headers, value, is_json FROM raw WHERE topic = 'u1.pin' ORDER BY ALL"))
		require.Equal(t, [][]any{{int64(1), nil}, {int64(2), ""}, {int64(3), nil}, {int64(4), "x"}},
			ask("SELECT topic_offset, value FROM pin_quarantine WHERE topic_partition = 0 AND reason = 'not a pin record' ORDER BY topic_offset"))
		requireSame(t, reference.Answers(landed, reference.Options{}), withoutOldLines(read(t.Context(), t, e)))
	})

	t.Run("keeps_the_texts_of_records_and_fields", func(t *testing.T) {
		t.Parallel()
		const (
			odd     = "{ \"index\":\n1, \"unique_id\":\"00000000-0000-4000-8000-000000000001\", \"follower_count\" : 7, \"title\":1e5, \"description\":1.50, \"poster_name\":-0,\n" + `"tag_list":[ 1.0 ], "category":{"a" : "\u0041"}, "image_src":"\u0041", "is_image_or_video":true }`
			invalid = " {\"index\":1.0, \"unique_id\" : \"\\ud83c\\udf84\" } "
		)
		objects := store{}
		objects.land(t, []reference.Record{
			{Kind: "pin", Date: "2022-10-18", Offset: 1, Value: []byte(odd)},
			{Kind: "pin", Date: "2022-10-18", Offset: 2, Value: []byte(invalid)},
			{Kind: "pin", Date: "2022-10-18", Offset: 3, Value: []byte("[5 ," + invalid + "]")},
		}, "0000000001")
		e := open(t, objects)
		runDate(t.Context(), t, e, "2022-10-18", "quarantine")
		ask := func(sql string) [][]any {
			table, err := e.Query(t.Context(), engine.Query{SQL: sql, Schema: "pins"})
			require.NoError(t, err)
			return table.Rows
		}
		require.Equal(t, [][]any{{int64(1), int64(7), "1e5", "1.50", "-0", "[ 1.0 ]", `{"a" : "\u0041"}`, "A", "true"}},
			ask("SELECT ind, follower_count, title, description, poster_name, tag_list, category, image_src, is_image_or_video FROM pin"))
		require.Equal(t, [][]any{{int64(2), int64(0), "index", invalid}, {int64(3), int64(0), "not a pin record", "[5 ," + invalid + "]"}, {int64(3), int64(1), "index", "[5 ," + invalid + "]"}},
			ask("SELECT topic_offset, element, reason, value FROM pin_quarantine ORDER BY topic_offset, element"))
	})
}

// withoutOldLines takes the two lines of another form from the counts.
func withoutOldLines(e reference.Expected) reference.Expected {
	e.Rejected["pin:not a pin record"] -= 2
	return e
}
