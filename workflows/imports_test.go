package workflows

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWorkflows(t *testing.T) {
	// Workflow code that called another system directly would call it again in every replay.
	t.Run("import_no_sdk_of_another_system", func(t *testing.T) {
		read := map[string]int{} // files by directory
		require.NoError(t, filepath.WalkDir(".", func(file string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			read[filepath.Dir(file)]++
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			require.NoError(t, err)
			for _, i := range parsed.Imports {
				path, err := strconv.Unquote(i.Path.Value)
				require.NoError(t, err)
				for _, foreign := range []string{"aws", "kafka", "databricks", "net/http", "database/sql", "internal/clients"} {
					require.NotContains(t, path, foreign, file)
				}
			}
			return nil
		}))
		for _, dir := range []string{".", "markdown", "operators", "pools", "steps"} {
			require.Positive(t, read[dir], "%s has no code", dir)
		}
	})
}
