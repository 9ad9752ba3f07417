package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRewrite(t *testing.T) {
	t.Parallel()
	t.Run("each_rule", func(t *testing.T) {
		t.Parallel()
		r := &rewriter{params: parameters{values: map[string]string{"schema": "cat.pins", "name": "O'Hara"}}, readFiles: func(pattern string, whole bool) (string, error) {
			if whole {
				return "whole(" + pattern + ")", nil
			}
			return "lines(" + pattern + ")", nil
		}}
		for _, c := range []struct{ name, in, want string }{
			{"parameter", "SELECT :name", "SELECT 'O''Hara'"},
			{"a cast and a path are no parameter", "SELECT a::INT, v:b", "SELECT a::INT, v:b"},
			{"escapes in strings", `SELECT 'a\n\'b', "c''d"`, "SELECT 'a\n''b', 'c''''d'"},
			{"raw strings", `SELECT r'^\d\z'`, `SELECT '^\d\z'`},
			{"backticks", "SELECT `user`.`a``b`", "SELECT \"user\".\"a`b\""},
			{"identifier clause", "SELECT * FROM IDENTIFIER('a.`b.c`')", `SELECT * FROM "a"."b.c"`},
			{"use without a catalog", "USE IDENTIFIER('pins')", `USE "pins"`},
			{"use with a catalog, which is dropped", "USE IDENTIFIER(:schema)", `USE "pins"`},
			{"use of a schema, by its name", "USE SCHEMA `cat` . pins", "USE pins"},
			{"create a schema in a catalog", "CREATE SCHEMA IF NOT EXISTS `cat`.`pins`", `CREATE SCHEMA IF NOT EXISTS "pins"`},
			{"create a schema", "CREATE SCHEMA IF NOT EXISTS IDENTIFIER('pins')", `CREATE SCHEMA IF NOT EXISTS "pins"`},
			{"drop a schema in a catalog", "DROP SCHEMA cat.pins CASCADE", "DROP SCHEMA pins CASCADE"},
			{"a table in a catalog", "SELECT * FROM `cat`.`pins`.`t` JOIN `pins`.`u`", `SELECT * FROM "pins"."t" JOIN "pins"."u"`},
			{"time zone", "SET TIME ZONE 'UTC'", "SET TIME ZONE 'UTC'"},
			{"table clauses", "CREATE TABLE IF NOT EXISTS t (a STRING) USING DELTA CLUSTER BY (a) COMMENT 'x' TBLPROPERTIES ('a' = 'b')", "CREATE TABLE IF NOT EXISTS t (a STRING)"},
			{"comments of columns", "CREATE TABLE t (comment STRING COMMENT 'a, (b', b ARRAY<INT> NOT NULL COMMENT 'x') PARTITIONED BY (b) COMMENT 'y'", "CREATE TABLE t (comment STRING , b INT[] NOT NULL )"},
			{"comments of views", "CREATE VIEW IF NOT EXISTS v (a COMMENT 'x', b) COMMENT 'y' AS SELECT comment FROM t", "CREATE VIEW IF NOT EXISTS v (a , b) AS SELECT comment FROM t"},
			{"table as select keeps USING of a join", "CREATE OR REPLACE TABLE t USING DELTA AS SELECT * FROM a JOIN b USING (id)", "CREATE OR REPLACE TABLE t  AS SELECT * FROM a JOIN b USING (id)"},
			{"array type", "CREATE TABLE t (a ARRAY<ARRAY<DOUBLE>>)", "CREATE TABLE t (a DOUBLE[][])"},
			{"array function", "SELECT array(1, 2)", `SELECT list_value(1, 2) AS "array(1, 2)"`},
			{"from_json", "SELECT from_json(v, 'a STRING, b ARRAY<INT>', map('x', 'y'))", `SELECT from_json(v, '{"a":"VARCHAR","b":["INTEGER"]}')`},
			{"posexplode", "SELECT a, i, x FROM t, LATERAL posexplode(xs) AS u(i, x) WHERE a", "SELECT a, i, x FROM (SELECT *, generate_subscripts(xs, 1) - 1 AS i, unnest(xs) AS x FROM t) AS t WHERE a"},
			{"explode", "SELECT explode(xs)", `SELECT unnest(xs) AS "col"`},
			{"read_files by lines", "SELECT * FROM read_files('s3://b/' || :name, format => 'text')", "SELECT * FROM lines(s3://b/O'Hara)"},
			{"read_files whole", "SELECT * FROM read_files('p', format => 'text', wholeText => true)", "SELECT * FROM whole(p)"},
		} {
			got, err := r.rewrite(splitStatements(c.in)[0])
			require.NoError(t, err, c.name)
			require.Equal(t, squeeze(c.want), squeeze(strings.Join(got, ";")), c.name)
		}
	})

	t.Run("replace_inserts_the_rows_and_deletes_the_old_ones", func(t *testing.T) {
		t.Parallel()
		const old = "rowid < 36028797018960000"
		for _, c := range []struct {
			in    string
			reads string // the query reads its table where this word is
			want  []string
		}{
			{"INSERT INTO q REPLACE WHERE d = :d AND (a IN (1)) SELECT * FROM r WHERE d = :d", "none", []string{
				"INSERT INTO q SELECT * FROM r WHERE d = '2022-10-18'",
				"DELETE FROM q WHERE " + old + " AND ( d = '2022-10-18' AND (a IN (1)) )",
			}},
			{"INSERT OVERWRITE TABLE t WITH c AS (SELECT 1) SELECT * FROM c", "none", []string{
				"INSERT INTO t WITH c AS (SELECT 1) SELECT * FROM c", "DELETE FROM t WHERE " + old,
			}},
			{"INSERT INTO q REPLACE WHERE d = 1 SELECT * FROM r UNION ALL SELECT * FROM Q WHERE d = 1 AND e", "Q", []string{
				"CREATE OR REPLACE TEMP TABLE _kept AS SELECT * FROM Q WHERE d = 1 AND e",
				"INSERT INTO q SELECT * FROM r UNION ALL SELECT * FROM temp.main._kept",
				"DELETE FROM q WHERE " + old + " AND ( d = 1 )", "DROP TABLE temp.main._kept",
			}},
			{"INSERT INTO q REPLACE WHERE d = 1 SELECT * FROM v UNION ALL SELECT * FROM q WHERE d = 1", "v", []string{
				"CREATE OR REPLACE TEMP TABLE _replaced AS SELECT * FROM v UNION ALL SELECT * FROM q WHERE d = 1",
				"DELETE FROM q WHERE d = 1", "INSERT INTO q FROM temp.main._replaced", "DROP TABLE temp.main._replaced",
			}},
			{"INSERT OVERWRITE q SELECT * FROM r UNION ALL SELECT * FROM q WHERE a UNION ALL SELECT * FROM q", "q", []string{
				"CREATE OR REPLACE TEMP TABLE _replaced AS SELECT * FROM r UNION ALL SELECT * FROM q WHERE a UNION ALL SELECT * FROM q",
				"DELETE FROM q", "INSERT INTO q FROM temp.main._replaced", "DROP TABLE temp.main._replaced",
			}},
		} {
			r := &rewriter{params: parameters{values: map[string]string{"d": "2022-10-18"}}, reads: func(query, _ []token) bool {
				return slices.ContainsFunc(query, func(t token) bool { return t.text == c.reads })
			}}
			got, err := r.rewrite(splitStatements(c.in)[0])
			require.NoError(t, err)
			for i := range got {
				got[i] = squeeze(got[i])
			}
			require.Equal(t, c.want, got)
		}
	})

	t.Run("reports_errors", func(t *testing.T) {
		t.Parallel()
		r := &rewriter{}
		for in, want := range map[string]string{
			"SELECT :missing":                                "UNBOUND_SQL_PARAMETER",
			"SELECT * FROM read_files(x, format => 1)":       "not a constant",
			"SELECT * FROM read_files('x', format => 'csv')": "only 'text'",
			"SELECT from_json(v, 'a')":                       "want a type",
			"SELECT from_json(v, 'a INT,')":                  "want a field's name",
			"USE IDENTIFIER(lower('x'))":                     "not a constant",
			"SELECT * FROM t, LATERAL posexplode(x)":         "wants names",
		} {
			_, err := r.rewrite(splitStatements(in)[0])
			require.ErrorContains(t, err, want, in)
		}
	})
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestTokens(t *testing.T) {
	t.Parallel()
	t.Run("lose_nothing", func(t *testing.T) {
		t.Parallel()
		for _, sql := range []string{"SELECT 'a''b' -- c\n/* d; */ ; `e` :f 1.5e3 <=> ~ ü", "'unclosed", "/* unclosed", "`", `"\"`} {
			var b strings.Builder
			for _, token := range tokens(sql) {
				b.WriteString(token.text)
			}
			require.Equal(t, sql, b.String())
		}
	})
}

func TestNotebook(t *testing.T) {
	t.Parallel()
	t.Run("statements_and_their_places", func(t *testing.T) {
		t.Parallel()
		statements, err := splitNotebook("-- Databricks notebook source\n-- MAGIC %md\n-- MAGIC # Title; x\n\n-- COMMAND ----------\n\nSELECT 1; -- a;b\nSELECT ';'\n\n-- COMMAND ----------\n\nSELECT 2\n")
		require.NoError(t, err)
		var places [][2]int
		for _, s := range statements {
			places = append(places, [2]int{s.cell, s.number})
		}
		require.Equal(t, [][2]int{{2, 1}, {2, 2}, {3, 1}}, places)
		_, err = splitNotebook("SELECT 1")
		require.ErrorContains(t, err, "not a SQL notebook")
		_, err = splitNotebook("-- Databricks notebook source\n-- MAGIC %python\n-- MAGIC print(1)")
		require.ErrorContains(t, err, "python")
	})
}
