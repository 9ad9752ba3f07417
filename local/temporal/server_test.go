package temporal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/testing/freeport"
)

// Without the write-ahead log each transaction syncs a journal of its own: the server would do a
// fifth of the work in the same time. SQLite ignores a setting whose name it does not
// know, so the file itself is asked.
func TestServer_KeepsAWriteAheadLog(t *testing.T) {
	file := filepath.Join(t.TempDir(), DatabaseName())
	server, err := Start(Options{IP: loopback, Port: freeport.MustGetFreePort(), DatabaseFile: file, Namespaces: []string{"default"}, LogLevel: "fatal"})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Stop()) }()
	database, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, []byte{2, 2}, database[18:20], "the write and read versions of https://www.sqlite.org/fileformat.html: 2 is WAL")
	require.FileExists(t, file+"-wal")
}
