package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/notebookpush"
	"github.com/pinflow/pinflow/starter/exit"
)

const notebookHeader = "-- Databricks notebook source\n"

// notebookDir returns a directory with these notebooks.
func notebookDir(t *testing.T, sources map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, source := range sources {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".sql"), []byte(source), 0o600))
	}
	return dir
}

// states returns the states of notebooks by their names.
func states(t *testing.T, stdout string) map[string]notebookpush.State {
	t.Helper()
	var changes []notebookpush.Change
	require.NoError(t, json.Unmarshal([]byte(stdout), &changes))
	all := map[string]notebookpush.State{}
	for _, change := range changes {
		all[change.Name] = change.State
	}
	return all
}

func TestNotebooks(t *testing.T) {
	t.Parallel()
	t.Run("from", func(t *testing.T) {
		t.Parallel()
		dir := notebookDir(t, map[string]string{"query": notebookHeader + "SELECT 2\n", "fresh": notebookHeader + "SELECT 3\n", "load": notebookHeader + "SELECT 1\n"})
		w := newWorld()
		w.notes.sources = map[string]string{
			"/Shared/pinflow/query": notebookHeader + "SELECT 1", "/Shared/pinflow/load": notebookHeader + "SELECT 1", "/Shared/pinflow/old": notebookHeader + "SELECT 0",
			"/Shared/other/query": notebookHeader + "SELECT 9",
		}
		code, stdout, stderr := w.starter(t, "notebooks", "diff", "--from", dir, "-o", "json")
		require.Equal(t, exit.Failed, code, stderr)
		require.Equal(t, map[string]notebookpush.State{"query": notebookpush.Changed, "fresh": notebookpush.New, "load": notebookpush.Same, "old": notebookpush.Extra}, states(t, stdout))
		code, stdout, stderr = w.starter(t, "notebooks", "diff", "--from", dir)
		require.Equal(t, exit.Failed, code, stderr)
		require.Regexp(t, `old +extra +/Shared/pinflow/old`, stdout)
		require.Contains(t, stdout, "-SELECT 1\n+SELECT 2\n")
		require.Contains(t, stdout, "+SELECT 3\n")

		code, stdout, stderr = w.starter(t, "notebooks", "push", "--from", dir)
		require.Zero(t, code, stderr)
		require.Regexp(t, `fresh +new`, stdout)
		require.Regexp(t, `load +same`, stdout)
		require.Equal(t, map[string]string{
			"/Shared/pinflow/query": notebookHeader + "SELECT 2\n", "/Shared/pinflow/fresh": notebookHeader + "SELECT 3\n", "/Shared/pinflow/load": notebookHeader + "SELECT 1",
			"/Shared/pinflow/old": notebookHeader + "SELECT 0", "/Shared/other/query": notebookHeader + "SELECT 9",
		}, w.notes.sources, "only what is new or changed is written, and nothing is deleted")

		code, stdout, stderr = w.starter(t, "notebooks", "diff", "--from", dir)
		require.Zero(t, code, "a push would change nothing: %s", stderr)
		require.Regexp(t, `old +extra`, stdout)
	})

	t.Run("from_rejects_what_holds_no_notebooks", func(t *testing.T) {
		t.Parallel()
		for name, row := range map[string]struct{ dir, says string }{
			"no such directory": {filepath.Join(t.TempDir(), "none"), "no such file"},
			"no notebooks":      {t.TempDir(), "has no notebooks"},
			"not a notebook":    {notebookDir(t, map[string]string{"query": "SELECT 1"}), "query.sql is not a notebook"},
		} {
			for _, command := range []string{"push", "diff"} {
				w := newWorld()
				code, stdout, stderr := w.starter(t, "notebooks", command, "--from", row.dir)
				require.Equal(t, exit.Usage, code, name)
				require.Contains(t, stderr, "--from")
				require.Contains(t, stderr, row.says)
				require.Empty(t, stdout)
				require.Empty(t, w.touched)
			}
		}
	})
}
