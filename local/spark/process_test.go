package spark

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// script is a stand-in for Spark: it answers each statement with its text, but not `wait`, which
// ends when it is interrupted, and `die`, which ends the process.
const script = `#!/bin/sh
echo '{"id":0}'
while read -r line; do
  id=$(echo "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
  case $line in
    *'"cancel"'*) echo '{"id":'"$(echo "$line" | sed 's/.*"cancel":\([0-9]*\).*/\1/')"',"error":"interrupted"}' ;;
    *wait*) ;;
    *die*) exit 3 ;;
    *'"sql"'*) echo '{"id":'"$id"',"columns":[["a","BIGINT"],["b","TIMESTAMP"],["c","ARRAY<DOUBLE>"],["d","DATE"],["e","DOUBLE"]],"rows":[[12345678901234567,-62135596800000000,[1.5,null],"0001-01-01","nan"]]}' ;;
  esac
done
`

func launch(t *testing.T) *process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "python")
	require.NoError(t, os.WriteFile(file, []byte(script), 0o755))
	p, err := start(t.Context(), file, settings{Scratch: t.TempDir()}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.stop()) })
	return p
}

func TestProcess(t *testing.T) {
	t.Parallel()
	t.Run("returns_values_in_the_types_of_tables", func(t *testing.T) {
		t.Parallel()
		got, err := launch(t).run(t.Context(), request{SQL: "SELECT 1"})
		require.NoError(t, err)
		rows, err := table(got)
		require.NoError(t, err)
		require.Equal(t, []any{int64(12345678901234567), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), []any{1.5, nil}, time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)}, rows.Rows[0][:4])
		require.NotEqual(t, rows.Rows[0][4], rows.Rows[0][4], "NaN") //nolint:testifylint // NaN is not equal to itself
	})

	t.Run("interrupts_a_statement_and_waits_for_its_end", func(t *testing.T) {
		t.Parallel()
		p := launch(t)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := p.run(ctx, request{SQL: "wait"})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = p.run(t.Context(), request{SQL: "SELECT 1"})
		require.NoError(t, err, "the process goes on")
	})

	t.Run("reports_that_spark_has_ended", func(t *testing.T) {
		t.Parallel()
		p := launch(t)
		_, err := p.run(t.Context(), request{SQL: "die"})
		require.ErrorContains(t, err, "exit status 3")
		_, err = p.run(t.Context(), request{SQL: "SELECT 1"})
		require.Error(t, err)
	})

	t.Run("says_how_to_install_spark", func(t *testing.T) {
		t.Parallel()
		_, err := Open(t.Context(), Options{Home: t.TempDir(), Dir: t.TempDir()})
		require.ErrorContains(t, err, "scripts/install-spark")
	})
}
