package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
)

func TestReadFiles(t *testing.T) {
	t.Parallel()
	const read = "read_files('s3://b/*/*', format => 'text')"
	objects := counted{store: store{}}
	var lines int
	for i := range 20 {
		uri := fmt.Sprintf("s3://b/folder%d/file", i)
		for n := range i * 300 { // some have more rows than a chunk of DuckDB
			objects.store[uri] = fmt.Appendf(objects.store[uri], "%d\n", n)
			lines++
		}
		objects.store[uri] = append(objects.store[uri], "last \xff"...)
		lines++
	}
	ask := func(t *testing.T, sql string) [][]any {
		t.Helper()
		table, err := open(t, &objects).Query(t.Context(), engine.Query{SQL: sql})
		require.NoError(t, err)
		return table.Rows
	}

	t.Run("has_a_row_for_each_line_and_the_metadata_of_its_object", func(t *testing.T) {
		t.Parallel()
		rows := ask(t, "SELECT _metadata.file_path, _metadata.file_name, _metadata.file_size, count(*), count(DISTINCT value), sum(try_cast(value AS BIGINT)) FROM "+read+" GROUP BY ALL")
		require.Len(t, rows, 20)
		for _, row := range rows {
			n := row[3].(int64) - 1
			require.Equal(t, []any{fmt.Sprintf("s3://b/folder%d/file", n/300), "file", int64(len(objects.store[row[0].(string)])), n + 1, n + 1}, row[:5])
		}
		require.Equal(t, [][]any{{int64(20)}}, ask(t, "SELECT count(*) FROM "+read+" WHERE value = 'last \ufffd'"), "bytes that are not UTF-8")
	})

	t.Run("reads_only_the_columns_that_a_statement_wants", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, [][]any{{int64(lines)}}, ask(t, "SELECT count(*) FROM "+read))
		require.Equal(t, [][]any{{"file", int64(lines)}}, ask(t, "SELECT _metadata.file_name, count(*) FROM "+read+" GROUP BY ALL"))
		require.Equal(t, [][]any{{int64(20)}}, ask(t, "SELECT count(*) FROM "+read+" WHERE value LIKE 'last%'"))
	})

	t.Run("can_be_read_twice_by_one_statement", func(t *testing.T) {
		t.Parallel()
		twice := "WITH lines AS (SELECT value, _metadata.file_path AS path FROM " + read + ") SELECT count(*) FROM lines AS a JOIN lines AS b ON a.path = b.path AND a.value = b.value"
		require.Equal(t, [][]any{{int64(lines)}}, ask(t, twice))
		require.Equal(t, [][]any{{int64(2 * lines)}}, ask(t, "SELECT count(*) FROM (SELECT * FROM "+read+" UNION ALL SELECT * FROM "+read+")"))
	})

	t.Run("has_a_row_for_each_object_with_wholeText", func(t *testing.T) {
		t.Parallel()
		rows := ask(t, "SELECT length(value) FROM read_files('s3://b/*/*', format => 'text', wholeText => true) WHERE _metadata.file_path LIKE '%/folder19/file'")
		require.Equal(t, [][]any{{int64(len([]rune(string(objects.store["s3://b/folder19/file"]))))}}, rows)
	})

	t.Run("is_read_by_all_threads_of_a_statement", func(t *testing.T) {
		t.Parallel()
		objects := meeting{store: store{"s3://b/a/x": nil, "s3://b/a/y": nil}, arrived: make(chan struct{}, 2), met: make(chan struct{})}
		go func() {
			<-objects.arrived
			<-objects.arrived
			close(objects.met)
		}()
		rows, err := open(t, objects).Query(t.Context(), engine.Query{SQL: "CREATE TABLE pins.t AS SELECT value FROM " + read})
		require.NoError(t, err)
		require.NotNil(t, rows)
	})

	t.Run("closes_what_a_statement_does_not_read_to_its_end", func(t *testing.T) {
		t.Parallel()
		objects := counted{store: objects.store}
		e := open(t, &objects)
		_, err := e.Query(t.Context(), engine.Query{SQL: "SELECT value FROM " + read + " LIMIT 1"})
		require.NoError(t, err)
		require.Eventually(t, func() bool { return objects.open.Load() == 0 }, 10*time.Second, time.Millisecond)
	})

	t.Run("fails_with_the_error_of_the_store", func(t *testing.T) {
		t.Parallel()
		broken := failing{store{"s3://b/a/x": []byte("1\n")}}
		_, err := open(t, broken).Query(t.Context(), engine.Query{SQL: "SELECT count(*) FROM " + read})
		require.ErrorContains(t, err, "read s3://b/a/x: connection reset")
	})
}

// counted is a store that counts the objects that are open.
type counted struct {
	store
	open, opened atomic.Int64
}

func (c *counted) Open(ctx context.Context, uri string) (io.ReadCloser, error) {
	c.open.Add(1)
	c.opened.Add(1)
	return closing{bytes.NewReader(c.store[uri]), func() { c.open.Add(-1) }}, nil
}

type closing struct {
	io.Reader
	closed func()
}

func (c closing) Close() error {
	c.closed()
	return nil
}

// meeting is a store whose two objects can only be read at the same time.
type meeting struct {
	store
	arrived, met chan struct{}
}

func (m meeting) Open(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(m), nil
}

func (m meeting) Read([]byte) (int, error) {
	m.arrived <- struct{}{}
	select {
	case <-m.met:
		return 0, io.EOF
	case <-time.After(10 * time.Second):
		return 0, errors.New("one thread reads alone")
	}
}

// failing is a store whose objects break off.
type failing struct{ store }

func (f failing) Open(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader("1\n"), iotest.ErrReader(errors.New("connection reset")))), nil
}
