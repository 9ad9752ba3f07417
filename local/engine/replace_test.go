package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// DuckDB's statistics of a table say that a condition is true for all of its rows, and the scan then
// does not ask the rows that the statement adds.
func TestReplaceSeesTheRowsFromBefore(t *testing.T) {
	t.Parallel()
	for _, write := range []string{
		"INSERT INTO t REPLACE WHERE d BETWEEN 2 AND 3 SELECT 1, 2 UNION ALL SELECT * FROM t WHERE d BETWEEN 2 AND 3 AND d <> 2",
		"INSERT INTO t REPLACE WHERE d BETWEEN 2 AND 3 SELECT 1, 2 UNION ALL SELECT k, d FROM t WHERE d BETWEEN 2 AND 3 AND d <> 2",
		"INSERT INTO t REPLACE WHERE d BETWEEN 2 AND 3 SELECT 1, 2 UNION ALL SELECT * FROM v WHERE d BETWEEN 2 AND 3 AND d <> 2",
		"INSERT OVERWRITE t SELECT 1, 2 UNION ALL SELECT * FROM t WHERE d <> 2",
		"INSERT OVERWRITE t SELECT 1, 2 UNION ALL SELECT 9, 3",
	} {
		e, err := Open(t.Context(), Options{Threads: 1})
		require.NoError(t, err)
		for _, sql := range []string{"CREATE TABLE t (k INT, d INT)", "CREATE VIEW v AS SELECT * FROM t", "INSERT INTO t VALUES (9, 3)", write, write} {
			_, err := e.Query(t.Context(), Query{SQL: sql})
			require.NoError(t, err, sql)
		}
		require.Equal(t, [][]any{{int64(1), int64(2)}, {int64(9), int64(3)}}, ask(t, e, "SELECT k, d FROM t ORDER BY k"), write)
		require.NoError(t, e.Close())
	}
}
