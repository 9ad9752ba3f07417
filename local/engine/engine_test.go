package engine_test

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
)

const header = "-- Databricks notebook source\n"

func TestRunNotebook(t *testing.T) {
	t.Parallel()
	t.Run("names_the_failed_statement", func(t *testing.T) {
		t.Parallel()
		e := open(t, store{})
		_, err := e.RunNotebook(t.Context(), header+"SELECT 1;\nSELECT x FROM nowhere\n\n-- COMMAND ----------\n\nSELECT 2", nil)
		var failed *engine.StatementError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, [2]int{1, 2}, [2]int{failed.Cell, failed.Statement})
		require.Equal(t, "SELECT x FROM nowhere", failed.SQL)
		require.Contains(t, failed.Message, "nowhere")
		require.Contains(t, err.Error(), failed.SQL)
	})

	t.Run("fails_if_nothing_has_landed", func(t *testing.T) {
		t.Parallel()
		_, err := open(t, store{}).RunNotebook(t.Context(), header+"SELECT * FROM read_files('s3://b/none/*.json', format => 'text')", nil)
		require.ErrorContains(t, err, "PATH_NOT_FOUND")
	})

	t.Run("cancelling_interrupts_the_statement", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		e := open(t, signalling{store{"s3://b/x": []byte("line\n")}, cancel})
		endless := "SELECT * FROM read_files('s3://b/x', format => 'text'), range(100000) a, range(100000) b, range(100000) c WHERE a.id + b.id + c.id < 0"
		_, err := e.RunNotebook(ctx, header+endless, nil)
		require.ErrorIs(t, err, context.Canceled)
		_, err = e.Query(t.Context(), engine.Query{SQL: "SELECT 1"})
		require.NoError(t, err, "the engine works on")
	})

	t.Run("uses_a_schema_with_and_without_a_catalog", func(t *testing.T) {
		t.Parallel()
		e := open(t, store{})
		_, err := e.Query(t.Context(), engine.Query{SQL: "CREATE SCHEMA IF NOT EXISTS `main`.`dev`"})
		require.NoError(t, err)
		_, err = e.RunNotebook(t.Context(), header+"USE IDENTIFIER(:schema);\nSET TIME ZONE 'UTC';\nCREATE TABLE t AS SELECT 1 AS x", map[string]string{"schema": "main.dev"})
		require.NoError(t, err)
		for _, schema := range []string{"dev", "main.dev", "`main`.`dev`"} {
			table, err := e.RunNotebook(t.Context(), header+"USE IDENTIFIER(:schema);\nSELECT x FROM t", map[string]string{"schema": schema})
			require.NoError(t, err, schema)
			require.Len(t, table.Rows, 1)
		}
		table, err := e.Query(t.Context(), engine.Query{SQL: "SELECT x FROM `main`.`dev`.`t`"})
		require.NoError(t, err)
		require.Len(t, table.Rows, 1)
	})

	t.Run("sessions_are_isolated", func(t *testing.T) {
		t.Parallel()
		e := open(t, store{})
		_, err := e.RunNotebook(t.Context(), header+"USE SCHEMA pins; CREATE OR REPLACE TEMPORARY VIEW v AS SELECT 1 AS x; SELECT * FROM v", nil)
		require.NoError(t, err)
		_, err = e.RunNotebook(t.Context(), header+"SELECT * FROM v", nil)
		require.ErrorContains(t, err, "v")
	})
}

// signalling is a store that signals when a notebook reads it.
type signalling struct {
	store
	reached func()
}

func (s signalling) Open(ctx context.Context, uri string) (io.ReadCloser, error) {
	s.reached()
	return s.store.Open(ctx, uri)
}

func TestQuery(t *testing.T) {
	t.Parallel()
	t.Run("values_and_types", func(t *testing.T) {
		t.Parallel()
		table, err := open(t, store{}).Query(t.Context(), engine.Query{
			SQL:    "SELECT CAST(1 AS BIGINT) AS a, 'x' AS b, CAST(NULL AS INT) AS c, 1.5e0 AS d, true AS e, array(1.5e0) AS f, :p AS g",
			Params: map[string]string{"p": "q"},
		})
		require.NoError(t, err)
		var types []string
		for _, c := range table.Columns {
			types = append(types, c.Type)
		}
		require.Equal(t, []string{"BIGINT", "STRING", "INT", "DOUBLE", "BOOLEAN", "ARRAY<DOUBLE>", "STRING"}, types)
		require.Equal(t, [][]any{{int64(1), "x", nil, 1.5, true, []any{1.5}, "q"}}, table.Rows)
	})

	t.Run("tables_survive_a_close", func(t *testing.T) {
		t.Parallel()
		path := t.TempDir() + "/t.duckdb"
		for _, sql := range []string{"CREATE TABLE t AS SELECT 42 AS x", "SELECT x FROM t"} {
			e, err := engine.Open(t.Context(), engine.Options{Path: path})
			require.NoError(t, err)
			_, err = e.Query(t.Context(), engine.Query{SQL: sql})
			require.NoError(t, err, sql)
			require.NoError(t, e.Close())
		}
	})
}
