package engine

import (
	"path/filepath"
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

// In DuckDB, the second part of a union finds the rows that the first one has added.
func TestInsertSeesTheRowsFromBefore(t *testing.T) {
	t.Parallel()
	e, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "warehouse.duckdb"), Threads: 2})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	_, err = e.Query(t.Context(), Query{SQL: "CREATE TABLE t AS SELECT id AS k FROM range(50000)"})
	require.NoError(t, err)
	rows := int64(50_000)
	for _, c := range []struct {
		sql   string
		times int64
	}{
		{"INSERT INTO t SELECT k FROM t", 2},
		{"INSERT INTO t SELECT k FROM t UNION ALL SELECT k FROM t", 3},
		{"INSERT INTO t (k) SELECT k FROM t UNION ALL SELECT k FROM t", 3},
		{"INSERT INTO TABLE t (k) WITH a AS (SELECT k FROM t) SELECT k FROM a WHERE k >= (SELECT min(k) FROM t) UNION ALL SELECT k FROM a", 3},
	} {
		_, err := e.Query(t.Context(), Query{SQL: c.sql})
		require.NoError(t, err, c.sql)
		rows *= c.times
		require.Equal(t, [][]any{{rows}}, ask(t, e, "SELECT count(*) FROM t"), c.sql)
	}
}
