package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/reference"
)

func TestSkipFiles(t *testing.T) {
	t.Parallel()
	t.Run("a_second_load_reads_only_new_objects", func(t *testing.T) {
		t.Parallel()
		objects := counted{store: store{}}
		land := func(offset int64) {
			objects.land(t, []reference.Record{{Kind: "pin", Date: "2022-10-18", Offset: offset, Value: []byte(`{"index":1}`)}}, fmt.Sprintf("%010d", offset))
		}
		land(0)
		e := open(t, &objects)
		runDate(t.Context(), t, e, "2022-10-18", "quarantine")
		count := func() any {
			table, err := e.Query(t.Context(), engine.Query{SQL: "SELECT count(*) FROM raw", Schema: "pins"})
			require.NoError(t, err)
			return table.Rows[0][0]
		}
		require.EqualValues(t, 1, count())

		const empty = 3 // objects of length 0, of which the table knows nothing
		objects.opened.Store(0)
		runDate(t.Context(), t, e, "2022-10-18", "quarantine")
		require.EqualValues(t, empty, objects.opened.Load())
		require.EqualValues(t, 1, count())

		land(1)
		objects.opened.Store(0)
		runDate(t.Context(), t, e, "2022-10-18", "quarantine")
		require.EqualValues(t, empty+1, objects.opened.Load())
		require.EqualValues(t, 2, count())
	})

	t.Run("changes_no_result", func(t *testing.T) {
		t.Parallel()
		objects := counted{store: store{"s3://b/a/1": []byte("x\ny\n"), "s3://b/a/2": []byte("x\n"), "s3://b/a/3": nil}}
		e := open(t, &objects)
		for _, test := range []struct {
			query  string
			want   int64
			opened int64
		}{
			{"(SELECT value, _metadata.file_name AS file FROM %s) AS t WHERE file <> '1'", 1, 2},
			{"(SELECT value AS line, _metadata.file_name AS file FROM %s) t WHERE t.file = '1' AND 'x' = 'x'", 2, 1},
			{"(SELECT _metadata.file_name AS file, value AS `line` FROM %s) AS t WHERE NOT EXISTS (SELECT 1 FROM (SELECT '1' AS file) AS loaded WHERE loaded.file = t.file) GROUP BY ALL", 1, 2},
			{"(SELECT value, _metadata.file_size AS size FROM %s) AS t WHERE size > 100", 0, 0},
			// What depends on the text, or might, is asked of each line.
			{"(SELECT value AS line, _metadata.file_name AS file FROM %s) AS t WHERE file = '1' AND line = 'x'", 1, 3},
			{"(SELECT upper(value) AS line, _metadata.file_name AS file FROM %s) AS t WHERE line = 'Y'", 1, 3},
			{"(SELECT value AS line, length(value) AS n FROM %s) AS t WHERE n = 1", 3, 3},
			{"(SELECT value || '' AS line FROM %s) AS t WHERE line = 'x'", 2, 3},
			{"(SELECT value AS line FROM %s WHERE value = 'y') AS t WHERE 1 = 1", 1, 3},
			{"(SELECT value, _metadata.file_name AS file FROM %s) AS t JOIN (SELECT 'x' AS other) AS o ON t.value = o.other WHERE file = '1'", 1, 3},
		} {
			objects.opened.Store(0)
			sql := "SELECT count(*) FROM " + fmt.Sprintf(test.query, "read_files('s3://b/a/*', format => 'text')")
			table, err := e.Query(t.Context(), engine.Query{SQL: sql})
			require.NoError(t, err, sql)
			var got int64
			if len(table.Rows) > 0 {
				got = table.Rows[0][0].(int64)
			}
			require.Equal(t, test.want, got, sql)
			require.Equal(t, test.opened, objects.opened.Load(), sql)
		}
		_, err := e.Query(t.Context(), engine.Query{SQL: "SELECT * FROM (SELECT value, _metadata.file_name AS file FROM read_files('s3://b/a/*', format => 'text')) AS t WHERE nothing = 1"})
		require.ErrorContains(t, err, "nothing")
	})
}
