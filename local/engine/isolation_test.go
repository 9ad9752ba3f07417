package engine

import (
	"context"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/objectstore"
)

// gates is a store whose objects can be read when their gate is open. A statement that reads one
// has started and not ended.
type gates struct {
	mu    sync.Mutex
	opens map[string]chan struct{}
	reads chan string
}

func newGates() *gates {
	return &gates{opens: map[string]chan struct{}{}, reads: make(chan string, 100)}
}

func (g *gates) gate(uri string) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opens[uri] == nil {
		g.opens[uri] = make(chan struct{})
	}
	return g.opens[uri]
}

func (g *gates) List(_ context.Context, pattern string) ([]objectstore.Object, error) {
	if strings.Contains(pattern, "*") {
		return nil, path.ErrBadPattern
	}
	return []objectstore.Object{{URI: pattern}}, nil
}

func (g *gates) Open(ctx context.Context, uri string) (io.ReadCloser, error) {
	g.reads <- uri
	select {
	case <-g.gate(uri):
		return io.NopCloser(strings.NewReader("1\n")), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func openGated(t testing.TB) (*Engine, *gates) {
	g := newGates()
	e, err := Open(t.Context(), Options{Objects: g, Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e, g
}

func ask(t testing.TB, e *Engine, sql string) [][]any {
	t.Helper()
	table, err := e.Query(t.Context(), Query{SQL: sql})
	require.NoError(t, err, sql)
	return table.Rows
}

// waiting reports whether n statements wait for their turn to write a table.
func (e *Engine) waiting(table string, n int) bool {
	e.isolation.mu.Lock()
	defer e.isolation.mu.Unlock()
	h := e.isolation.tables[table]
	return h != nil && h.waiting == n
}

// ungated is a statement without its gate.
func ungated(sql string) string {
	return strings.NewReplacer(" AND $gate > 0", "", " WHERE $gate > 0", "").Replace(sql)
}

// gated makes a statement wait for its gate after it has started.
func gated(sql, gate string) string {
	return strings.ReplaceAll(sql, "$gate", "(SELECT count(*) FROM read_files('s3://b/"+gate+"', format => 'text'))")
}

// deltaWords match the errors with which Delta rejects a concurrent write.
var deltaWords = regexp.MustCompile(`^\[(DELTA_CONCURRENT_(APPEND|DELETE_READ)\.(WHOLE_TABLE_READ|ROW_LEVEL_CHANGES)|DELTA_METADATA_CHANGED)\] .*SQLSTATE: 2D521$`)

func TestConcurrentWrites(t *testing.T) {
	t.Parallel()
	t.Run("two_merges_of_the_same_keys_never_both_insert_them", func(t *testing.T) {
		t.Parallel()
		e, g := openGated(t)
		ask(t, e, "CREATE TABLE t (k BIGINT, v STRING)")
		merge := "MERGE INTO t USING (SELECT id AS k, '%s' AS v FROM range(2000) WHERE $gate > 0) AS s ON t.k = s.k WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
		errs := make(chan error, 2)
		for _, name := range []string{"a", "b"} {
			go func() {
				_, err := e.Query(t.Context(), Query{SQL: gated(fmt.Sprintf(merge, name), name)})
				errs <- err
			}()
		}
		<-g.reads // one has started; both, where nothing makes them wait
		require.Eventually(t, func() bool { return e.waiting("main.t", 1) || len(g.reads) == 1 }, 5*time.Second, time.Millisecond)
		close(g.gate("s3://b/a"))
		close(g.gate("s3://b/b"))
		outcomes := []error{<-errs, <-errs}
		require.Equal(t, [][]any{{int64(2000), int64(2000), int64(1)}}, ask(t, e, "SELECT count(*), count(DISTINCT k), count(DISTINCT v) FROM t"))
		failed := slices.DeleteFunc(outcomes, func(err error) bool { return err == nil })
		require.Len(t, failed, 1)
		var statement *StatementError
		require.ErrorAs(t, failed[0], &statement)
		require.Regexp(t, deltaWords, statement.Message)
		require.Contains(t, statement.Message, "DELTA_CONCURRENT_APPEND")
		require.Contains(t, statement.Message, "main.t")
	})
}

func TestWaitingWrites(t *testing.T) {
	t.Parallel()
	t.Run("can_be_cancelled", func(t *testing.T) {
		t.Parallel()
		e, g := openGated(t)
		ask(t, e, "CREATE TABLE t AS SELECT 1 AS k")
		first := make(chan error, 1)
		go func() {
			_, err := e.Query(t.Context(), Query{SQL: gated("UPDATE t SET k = 2 WHERE $gate > 0", "a")})
			first <- err
		}()
		<-g.reads
		ctx, cancel := context.WithCancel(t.Context())
		second := make(chan error, 1)
		go func() {
			_, err := e.Query(ctx, Query{SQL: "UPDATE t SET k = 3"})
			second <- err
		}()
		require.Eventually(t, func() bool { return e.waiting("main.t", 1) }, 5*time.Second, time.Millisecond)
		cancel()
		require.ErrorIs(t, <-second, context.Canceled)
		close(g.gate("s3://b/a"))
		require.NoError(t, <-first)
		ask(t, e, "UPDATE t SET k = k + 10")
		require.Equal(t, [][]any{{int64(12)}}, ask(t, e, "SELECT k FROM t"))
		require.Empty(t, e.isolation.tables, "no turn is left behind")
	})

	t.Run("of_other_tables_and_reads_do_not_wait", func(t *testing.T) {
		t.Parallel()
		e, g := openGated(t)
		ask(t, e, "CREATE TABLE t AS SELECT 1 AS k")
		ask(t, e, "CREATE TABLE other AS SELECT 1 AS k")
		first := make(chan error, 1)
		go func() {
			_, err := e.Query(t.Context(), Query{SQL: gated("UPDATE t SET k = 2 WHERE $gate > 0", "a")})
			first <- err
		}()
		<-g.reads
		ask(t, e, "UPDATE other SET k = 3")
		ask(t, e, "CREATE OR REPLACE TEMPORARY VIEW t_view AS SELECT * FROM t")
		require.Equal(t, [][]any{{int64(1)}}, ask(t, e, "SELECT k FROM t"))
		close(g.gate("s3://b/a"))
		require.NoError(t, <-first)
	})

	t.Run("names_are_the_same_table_in_any_spelling", func(t *testing.T) {
		t.Parallel()
		e, _ := openGated(t)
		s, err := e.newSession(t.Context(), parameters{values: map[string]string{"schema": "main"}})
		require.NoError(t, err)
		defer s.close()
		for _, sql := range []string{
			"UPDATE t SET k = 1", "DELETE FROM Main.T", "INSERT INTO `main`.`t` VALUES (1)", "INSERT INTO TABLE t(k) SELECT 1", "INSERT OVERWRITE t SELECT 1",
			"TRUNCATE TABLE t", "MERGE INTO memory.main.t USING s ON true WHEN MATCHED THEN DELETE", "MERGE WITH SCHEMA EVOLUTION INTO t USING s ON true WHEN MATCHED THEN DELETE",
			"WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", "CREATE OR REPLACE TABLE IDENTIFIER(:schema || '.t') AS SELECT 1", "CREATE TABLE IF NOT EXISTS t (k INT)",
			"DROP TABLE IF EXISTS t", "ALTER TABLE t ADD COLUMN x INT",
		} {
			w := writeOf(splitStatements(sql)[0])
			require.NotEqual(t, reading, w.operation, sql)
			name, err := s.tableOf(t.Context(), w)
			require.NoError(t, err, sql)
			require.Equal(t, "main.t", name.key(), sql)
		}
		for _, sql := range []string{"SELECT 1", "WITH a AS (SELECT 1) SELECT * FROM a", "CREATE OR REPLACE TEMPORARY VIEW t AS SELECT 1", "USE main", "SHOW TABLES", "DESCRIBE t"} {
			require.Equal(t, reading, writeOf(splitStatements(sql)[0]).operation, sql)
		}
	})

	t.Run("conflicts_that_duckdb_finds_are_in_deltas_words", func(t *testing.T) {
		t.Parallel()
		e, _ := openGated(t)
		ask(t, e, "CREATE SCHEMA s")
		ask(t, e, "CREATE TABLE s.t (k INT)")
		tx, err := e.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "INSERT INTO s.t VALUES (1)")
		require.NoError(t, err)
		ask(t, e, "DROP SCHEMA s CASCADE")
		require.ErrorContains(t, inDelta(tx.Commit()), "[DELTA_CONCURRENT_WRITE] ConcurrentWriteException")
	})
}

// TestConflictMatrix holds which pairs conflict: a statement starts while another one, which
// commits first, is at work.
func TestConflictMatrix(t *testing.T) {
	t.Parallel()
	const (
		insert  = "INSERT INTO t SELECT 9, 'new', DATE '2022-01-09' WHERE $gate > 0"
		copying = "INSERT INTO t SELECT k + 100, v, d FROM t WHERE $gate > 0"
		byView  = "INSERT INTO t SELECT k + 100, v, d FROM odd WHERE $gate > 0"
		merge   = "MERGE INTO t USING (SELECT 1 AS k, 'merged' AS v, DATE '2022-01-01' AS d WHERE $gate > 0) AS s ON t.k = s.k WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
		first   = "INSERT INTO t REPLACE WHERE d = DATE '2022-01-01' SELECT 11, 'again', DATE '2022-01-01' WHERE $gate > 0"
		second  = "INSERT INTO t REPLACE WHERE d IN (DATE '2022-01-02', DATE '2022-01-03') SELECT 12, 'again', DATE '2022-01-02' WHERE $gate > 0"
		keeping = "INSERT INTO t REPLACE WHERE d BETWEEN DATE '2022-01-02' AND DATE '2022-01-03' SELECT 14, 'again', DATE '2022-01-02' WHERE $gate > 0 " +
			"UNION ALL SELECT * FROM t WHERE d BETWEEN DATE '2022-01-02' AND DATE '2022-01-03' AND d <> DATE '2022-01-02'"
		loading = "INSERT INTO t SELECT 15, 'loaded', DATE '2022-01-02' WHERE 15 NOT IN (SELECT k FROM main.t WHERE d = DATE '2022-01-02') AND $gate > 0"
		joined  = "INSERT INTO t REPLACE WHERE d = DATE '2022-01-02' SELECT t.k, s.v, t.d FROM t JOIN (SELECT 's' AS v) AS s ON true WHERE t.d = DATE '2022-01-02'"
		both    = "INSERT INTO t REPLACE WHERE d IN (DATE '2022-01-01', DATE '2022-01-02') SELECT 13, 'again', DATE '2022-01-02' WHERE $gate > 0"
		remove  = "DELETE FROM t WHERE d = DATE '2022-01-01' AND $gate > 0"
		update  = "UPDATE t SET v = 'updated' WHERE k = 2 AND $gate > 0"
		replace = "CREATE OR REPLACE TABLE t AS SELECT 1 AS k, 'replaced' AS v, DATE '2022-01-01' AS d WHERE $gate > 0"
		create  = "CREATE TABLE IF NOT EXISTS t (x INT)"
	)
	const (
		none       = ""
		appended   = "DELTA_CONCURRENT_APPEND.WHOLE_TABLE_READ"
		rows       = "DELTA_CONCURRENT_APPEND.ROW_LEVEL_CHANGES"
		deleted    = "DELTA_CONCURRENT_DELETE_READ.WHOLE_TABLE_READ"
		deletedRow = "DELTA_CONCURRENT_DELETE_READ.ROW_LEVEL_CHANGES"
		metadata   = "DELTA_METADATA_CHANGED"
	)
	for name, test := range map[string]struct{ winner, later, want string }{
		"insert, insert":                      {insert, insert, none},
		"insert, insert that reads":           {insert, copying, none},
		"insert, merge":                       {insert, merge, none},
		"insert, replace where":               {insert, first, none},
		"insert, replace":                     {insert, replace, none},
		"merge, insert":                       {merge, insert, none},
		"merge, insert that reads":            {merge, copying, appended},
		"merge, insert that reads by a view":  {merge, byView, appended},
		"insert that reads, itself":           {copying, copying, appended},
		"merge, merge":                        {merge, merge, appended},
		"merge, update of another row":        {merge, update, none},
		"merge, replace where of its row":     {merge, first, rows},
		"merge, replace where of other rows":  {merge, second, none},
		"replace where, merge":                {first, merge, appended},
		"replace where, disjoint":             {first, second, none},
		"replace where, overlapping":          {first, both, rows},
		"replace where, the same":             {first, first, rows},
		"replace where, disjoint that keeps":  {first, keeping, none},
		"that keeps, disjoint":                {keeping, first, none},
		"that keeps, itself":                  {keeping, keeping, rows},
		"replace where, load of another date": {first, loading, none},
		"load, load of the same date":         {loading, loading, rows},
		"replace where, one that joins":       {first, joined, appended},
		"delete, merge":                       {remove, merge, deleted},
		"delete, delete of the same rows":     {remove, remove, deletedRow},
		"delete, replace where of other rows": {remove, second, none},
		"update, update of the same row":      {update, update, rows},
		"replace, insert":                     {replace, insert, metadata},
		"replace, merge":                      {replace, merge, metadata},
		"replace, replace where":              {replace, second, metadata},
		"replace, replace":                    {replace, replace, metadata},
		"merge, replace":                      {merge, replace, appended},
		"merge, create if not exists":         {merge, create, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, g := openGated(t)
			ask(t, e, "CREATE TABLE t AS SELECT id + 1 AS k, 'old' AS v, DATE '2022-01-01' + CAST(id AS INT) AS d FROM range(5)")
			ask(t, e, "CREATE VIEW odd AS SELECT * FROM main.t WHERE k % 2 = 1")
			errs := make(chan error, 1)
			go func() {
				_, err := e.Query(t.Context(), Query{SQL: gated(test.winner, "winner")})
				errs <- err
			}()
			<-g.reads
			later := make(chan error, 1)
			go func() {
				_, err := e.Query(t.Context(), Query{SQL: ungated(test.later)})
				later <- err
			}()
			var err error
			switch name {
			case "insert, insert", "merge, create if not exists": // they do not wait
				err = <-later
				close(g.gate("s3://b/winner"))
				require.NoError(t, <-errs)
			default:
				require.Eventually(t, func() bool { return e.waiting("main.t", 1) }, 5*time.Second, time.Millisecond)
				close(g.gate("s3://b/winner"))
				require.NoError(t, <-errs)
				err = <-later
			}
			if test.want == none {
				require.NoError(t, err)
				return
			}
			var statement *StatementError
			require.ErrorAs(t, err, &statement)
			require.Regexp(t, deltaWords, statement.Message)
			require.Contains(t, statement.Message, "["+test.want+"]")
		})
	}
}
