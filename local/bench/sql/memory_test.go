package main

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A day need not fit into memory: load streams, and sorts spill to disk. With the same limit for ten
// times the day, as docs/benchmarks.md has it, only time grows.
func TestADayLargerThanTheMemoryLimit(t *testing.T) {
	const limit = 130_000_000
	dir := t.TempDir()
	landed, err := land(dir, 160_000, true)
	require.NoError(t, err)
	var bytes int64
	require.NoError(t, filepath.WalkDir(landed, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		bytes += info.Size()
		return err
	}))
	require.Greater(t, bytes, int64(limit*3/2))
	found, err := measureApart(t.Context(), job{Engine: "duckdb", Posts: 160_000, Objects: landed, Memory: "130MB", Threads: 2})
	require.NoError(t, err)
	require.Len(t, found, 6)
}
