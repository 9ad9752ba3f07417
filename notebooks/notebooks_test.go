package notebooks

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOpen(t *testing.T) {
	t.Run("reads_the_notebooks_of_a_directory", func(t *testing.T) {
		dir := t.TempDir()
		write := func(name, source string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(source), 0o600))
		}
		_, err := Open(dir)
		require.ErrorContains(t, err, "*.sql")
		write("query.sql", "-- Databricks notebook source\r\nSELECT 1\r\n")
		write("README.md", "not a notebook")
		all, err := Open(dir)
		require.NoError(t, err)
		require.Equal(t, []Notebook{{Name: "query", Source: "-- Databricks notebook source\r\nSELECT 1\r\n"}}, all)
		write("broken.sql", "SELECT 1\n")
		_, err = Open(dir)
		require.ErrorContains(t, err, "broken.sql is not a notebook")
		_, err = Open(filepath.Join(dir, "missing"))
		require.ErrorIs(t, err, fs.ErrNotExist)
		all, err = Open(".")
		require.NoError(t, err)
		require.Equal(t, All(), all)
	})
}
