package engine_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
)

// files try to read or to write the file %s.
var files = []string{
	"SELECT * FROM read_text('%s')", "SELECT * FROM read_blob('%s')", "SELECT * FROM READ_TEXT ('%s')", "SELECT * FROM `read_text`('%s')",
	"SELECT * FROM system.main.read_text('%s')", "SELECT * FROM IDENTIFIER('read_text')('%s')", "SELECT * FROM IDENTIFIER('main.read_text')('%s')",
	"SELECT * FROM read_text/**/('%s')", "SELECT * FROM read_text\u00a0('%s')", "SELECT * FROM read_text\v('%s')",
	"SELECT * FROM read_csv('%s')", "SELECT * FROM read_csv_auto('%s')", "SELECT * FROM sniff_csv('%s')",
	"SELECT * FROM read_json('%s')", "SELECT * FROM read_json_objects('%s')", "SELECT * FROM read_ndjson('%s')",
	"SELECT * FROM read_parquet('%s')", "SELECT * FROM parquet_scan('%s')", "SELECT * FROM parquet_metadata('%s')", "SELECT * FROM parquet_schema('%s')",
	"SELECT * FROM read_duckdb('%s')", "SELECT * FROM sqlite_scan('%s', 'x')", "SELECT * FROM glob('%s')",
	"SELECT * FROM '%s'", "SELECT * FROM \"%s\"", "SELECT * FROM `%s`", "FROM '%s'", "FROM IDENTIFIER('`%s`')", "TABLE '%s'", "SUMMARIZE '%s'", "DESCRIBE '%s'", "PIVOT '%s' ON a", "SHOW COLUMNS IN `%s`",
	"SELECT * FROM query('SELECT * FROM read_text(''%s'')')", "SELECT * FROM query_table('%s')",
	"SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''%s'')'))",
	"SELECT $$ ' $$, (SELECT content FROM read_text('%s')) --'", "SELECT $a$ ' $a$; COPY t TO '%s'",
	"CREATE TABLE x AS SELECT * FROM read_text('%s')", "CREATE VIEW x AS SELECT * FROM '%s'", "CREATE TEMPORARY VIEW x AS SELECT * FROM read_csv('%s')",
	"CREATE MACRO m() AS TABLE SELECT * FROM read_text('%s')", "INSERT INTO t SELECT 1 FROM read_text('%s')", "UPDATE t SET a = (SELECT size FROM read_blob('%s'))",
	"DELETE FROM t WHERE EXISTS (SELECT 1 FROM '%s')", "MERGE INTO t USING '%s' AS s ON t.a = s.a WHEN MATCHED THEN DELETE",
	"SELECT * FROM read_files('%s', format => 'text')", "SELECT * FROM read_files('file://%s', format => 'text')",
	"COPY t FROM '%s'", "COPY t TO '%s'", "COPY (SELECT 1) TO '%s' (FORMAT parquet)", "EXPLAIN COPY t TO '%s'", "EXPLAIN ANALYZE COPY t TO '%s'",
	"EXPLAIN ANALYZE VERBOSE COPY t TO '%s'", "EXPLAIN (FORMAT json) COPY t TO '%s'", "EXPLAIN (ANALYZE) COPY t TO '%s'", "/**/ COPY t TO '%s'", "PREPARE p AS COPY t TO '%s'",
	"ATTACH '%s' AS other", "ATTACH DATABASE '%s'", "EXPORT DATABASE '%s'", "IMPORT DATABASE '%s'", "CALL import_database('%s')", "PRAGMA import_database('%s')",
	"LOAD '%s'", "INSTALL '%s'", "FORCE INSTALL httpfs FROM '%s'", "UPDATE EXTENSIONS", "CREATE PERSISTENT SECRET s (TYPE http, BEARER_TOKEN '%s')",
	"SELECT * FROM read_text('https://example.com%s')", "SELECT * FROM 's3://bucket%s'", "SELECT getenv('%s')",
	"SET temp_directory = '%s'", "SET GLOBAL temp_directory = '%s'", "SET home_directory = '%s'", "SET extension_directory = '%s'", "SET secret_directory = '%s'",
	"SET log_query_path = '%s'", "SET profile_output = '%s'", "SET allowed_directories = ['%s']", "SET allowed_paths = ['%s']", "PRAGMA log_query_path = '%s'",
	"SELECT * FROM enable_logging('QueryLog', storage := 'file', storage_path := '%s')", "SELECT * FROM enable_profiling(save_location := '%s')",
	"CALL enable_logging('QueryLog', storage := 'file', storage_path := '%s')",
}

// locked try to undo the lock, or to take more of the machine than the engine may.
var locked = []string{
	"SET enable_external_access = true", "RESET enable_external_access", "SET lock_configuration = false", "SET allowed_configs = ['threads']",
	"SET memory_limit = '90GB'", "SET threads = 100", "PRAGMA threads = 100", "RESET memory_limit", "SET autoinstall_known_extensions = true",
	"SET allow_unsigned_extensions = true", "SELECT * FROM force_checkpoint()", "SELECT * FROM arrow_scan(1, 2, 3)",
}

// TestAccess holds that statements reach neither the files of the user, nor the network, nor the
// settings of the process: the workspace listens for them.
func TestAccess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	require.NoError(t, os.Mkdir(data, 0o700))
	e, err := engine.Open(t.Context(), engine.Options{Path: filepath.Join(data, "warehouse.duckdb"), Objects: store{}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	_, err = e.Query(t.Context(), engine.Query{SQL: "CREATE TABLE t AS SELECT 1 AS a"})
	require.NoError(t, err)
	secret := filepath.Join(dir, "secret.csv")
	require.NoError(t, os.WriteFile(secret, []byte("a,b\nhush,1\n"), 0o600))

	var statements []string
	for _, path := range []string{secret, filepath.Join(dir, "out"), filepath.Join(data, "out")} {
		for _, statement := range files {
			if strings.Contains(statement, "%s") {
				statement = fmt.Sprintf(statement, path)
			}
			statements = append(statements, statement)
		}
	}
	// The lock leaves DuckDB its own files.
	for _, own := range []string{"warehouse.duckdb", "warehouse.duckdb.wal", "spill/x"} {
		for _, statement := range files {
			if strings.Contains(statement, "COPY") || strings.Contains(statement, "read_") {
				statements = append(statements, fmt.Sprintf(statement, filepath.Join(data, own)))
			}
		}
	}
	for _, statement := range append(statements, locked...) {
		table, err := e.Query(t.Context(), engine.Query{SQL: statement})
		require.Error(t, err, "%s returns %v", statement, table)
		require.NotContains(t, err.Error(), "hush", statement)
	}

	// Nothing has been written, and the engine works on.
	_, err = os.Stat(filepath.Join(dir, "out"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	entries, err := os.ReadDir(data)
	require.NoError(t, err)
	for _, entry := range entries {
		require.Contains(t, []string{"warehouse.duckdb", "warehouse.duckdb.wal", "spill"}, entry.Name())
	}
	table, err := e.Query(t.Context(), engine.Query{SQL: "SELECT a FROM t"})
	require.NoError(t, err)
	require.Len(t, table.Rows, 1)
}

func TestAccessSays(t *testing.T) {
	t.Parallel()
	e := open(t, store{})
	for statement, says := range map[string]string{
		"SELECT * FROM read_text('/etc/passwd')": "Cannot resolve routine `read_text`: it is a function of DuckDB",
		"SELECT * FROM '/etc/passwd.csv'":        "[INSUFFICIENT_PERMISSIONS] Cannot access file \"/etc/passwd.csv\"",
		"SET memory_limit = '1TB'":               "[CANNOT_MODIFY_CONFIG] Cannot modify the value of the configuration \"memory_limit\"",
		"EXPLAIN ANALYZE COPY t TO '/tmp/x'":     "[UNSUPPORTED_FEATURE] COPY",
	} {
		_, err := e.Query(t.Context(), engine.Query{SQL: statement})
		require.ErrorContains(t, err, says)
	}
}

// What is locked leaves what notebooks need.
func TestAccessLeaves(t *testing.T) {
	t.Parallel()
	e := open(t, store{})
	for _, statements := range []string{
		"SET TIME ZONE 'Europe/Berlin'; SELECT current_timestamp()", "USE SCHEMA main; SELECT 1", "EXPLAIN SELECT 1",
		"CREATE TABLE query (a INT); INSERT INTO query (a) VALUES (1); SELECT query.a FROM query",
		"CREATE TABLE IF NOT EXISTS summary (a INT); INSERT INTO summary (a) VALUES (1)",
		"SELECT * FROM range(3)", "SELECT explode(array(1, 2))",
	} {
		_, err := e.RunNotebook(t.Context(), header+statements, nil)
		require.NoError(t, err, statements)
	}
	table, err := e.RunNotebook(t.Context(), header+"SELECT CAST(TIMESTAMP '2026-01-01 00:00:00+00' AS STRING)", nil)
	require.NoError(t, err)
	require.Contains(t, table.Rows[0][0], "2026-01-01 00:00:00", "the zone of another session does not count")
}

// DuckDB itself still reads and writes its temporary directory.
func TestAccessSpills(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e, err := engine.Open(t.Context(), engine.Options{Path: filepath.Join(dir, "warehouse.duckdb"), Objects: store{}, MemoryLimit: "64MB", Threads: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	spilled := make(chan bool, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		found := false
		for ctx.Err() == nil && !found {
			entries, _ := os.ReadDir(filepath.Join(dir, "spill"))
			found = len(entries) > 0
		}
		spilled <- found
	}()
	_, err = e.Query(t.Context(), engine.Query{SQL: "CREATE TABLE sorted AS SELECT md5(CAST(id AS STRING)) AS a, repeat('x', 100) AS b FROM range(1000000) ORDER BY a"})
	cancel()
	require.NoError(t, err)
	require.True(t, <-spilled, "the sort needs more than the limit")
}
