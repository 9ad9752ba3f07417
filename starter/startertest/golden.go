package startertest

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files in starter/testdata/golden")

// golden is the folder of the golden files of all packages of the starter.
var golden = func() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "testdata", "golden")
}()

// Golden compares a text with starter/testdata/golden/<name>.golden. With -update it writes the
// file.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join(golden, name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}
