package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnSpark(t *testing.T) {
	t.Parallel()
	files := func(pattern string) (string, error) { return "/tmp/" + pattern, nil }
	params := map[string]string{"name": `O'Hara\`, "path": "b/`x`"}

	t.Run("rewrites_what_spark_lacks", func(t *testing.T) {
		t.Parallel()
		for in, want := range map[string]string{
			"SELECT :name -- comment": `SELECT 'O\'Hara\\'`,
			"SELECT * FROM read_files(:path || '/*.json', format => 'text') WHERE a":        "SELECT * FROM IDENTIFIER('text.`/tmp/b/``x``/*.json`') WHERE a",
			"SELECT * FROM read_files('x', format => 'text', wholeText => true)":            "SELECT * FROM IDENTIFIER('text.`/tmp/x`') WITH ('wholeText' = 'true')",
			"SELECT a::INT, `b`, '\\n' FROM t, LATERAL posexplode(xs) AS u(i, x) QUALIFY 1": "SELECT a::INT, `b`, '\\n' FROM t, LATERAL posexplode(xs) AS u(i, x) QUALIFY 1",
		} {
			statement, err := OneStatement(in)
			require.NoError(t, err)
			got, err := statement.OnSpark(params, files)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})

	t.Run("reports_errors", func(t *testing.T) {
		t.Parallel()
		for in, want := range map[string]string{
			"SELECT :missing": "UNBOUND_SQL_PARAMETER",
			"SELECT * FROM read_files('x', format => 'csv')": "only 'text'",
			"SELECT * FROM read_files()":                     "want read_files",
		} {
			statement, err := OneStatement(in)
			require.NoError(t, err)
			_, err = statement.OnSpark(params, files)
			require.ErrorContains(t, err, want)
		}
		_, err := OneStatement("SELECT 1; SELECT 2")
		require.ErrorContains(t, err, "want one statement")
	})
}
