package engine

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// duckString is a string of DuckDB, in which a quote is written twice.
var duckString = regexp.MustCompile(`'(?:[^']|'')*'`)

// FuzzTokens checks that tokens add up to their SQL, that no text makes the engine panic, and that
// no rewritten statement calls a function that statements may not call.
func FuzzTokens(f *testing.F) {
	for _, sql := range []string{
		"SELECT a::b, :p, r'\\x', \"y\"\"\", `t``u`, 1.5e3, x <=> y -- c\n/* d */ FROM t", "'", "`", "/*", "--", "r'", ":", "\xff", "SELECT 'a\\'", "",
		"SELECT * FROM read_text ('/etc/passwd')", "FROM `read_text`\u00a0('x')", "FROM `read_text`('x')", "SELECT * FROM IDENTIFIER('READ_' || 'text')('x')", "$$ ' $$ read_text('x') '",
		"INSERT OVERWRITE t (a, b) SELECT a[0], size(map(1, 2)) DIV 3 FROM range(1, 2)", "EXPLAIN ANALYZE COPY t TO 'x'", "CREATE OR REPLACE TABLE t AS SELECT 1;SELECT 2",
		"INSERT INTO t REPLACE WHERE a = 1 SELECT * FROM read_files('s3://b/*', format => 'text')", "MERGE WITH SCHEMA EVOLUTION INTO t USING s ON a = b WHEN MATCHED THEN UPDATE SET *",
		"SELECT date_format(d, 'yyyy-MM'), from_json(v, 'a STRUCT<b: ARRAY<INT>>'), named_struct('a', 1), x.posexplode FROM t, LATERAL posexplode(c) AS t(p, v)",
	} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		toks := tokens(sql)
		var all strings.Builder
		for _, tok := range toks {
			require.NotEmpty(t, tok.text)
			all.WriteString(tok.text)
			if tok.kind == stringLiteral {
				_ = stringValue(tok.text)
			}
		}
		require.Equal(t, sql, all.String())
		_, _ = splitNotebook("-- Databricks notebook source\n" + sql)
		for _, statement := range splitStatements(sql) {
			rewriteOne(t, statement)
		}
	})
}

// rewriteOne rewrites a statement, which may fail, and reads what it writes.
func rewriteOne(t *testing.T, statement []token) {
	t.Helper()
	writeOf(statement)
	r := &rewriter{
		params:    parameters{map[string]string{"p": "1"}, "the test"},
		foreign:   map[string]bool{"read_text": true},
		readFiles: func(string, bool) (string, error) { return "objects", nil },
	}
	rewritten, err := r.rewrite(statement)
	if err != nil {
		require.NotEmpty(t, err.Error())
		return
	}
	called := regexp.MustCompile(`(?i)(\w*)[\s\p{Z}]+"?read_text"?[\s\p{Z}\v]*\(`)
	for _, sql := range rewritten {
		if !utf8.ValidString(sql) || strings.Contains(sql, "'") && strings.Count(sql, "'")%2 == 1 { // DuckDB refuses both
			continue
		}
		if found := called.FindStringSubmatch(duckString.ReplaceAllString(sql, "''")); found != nil {
			require.Contains(t, namesTable, strings.ToUpper(found[1]), "%q became %q", text(statement), sql)
		}
	}
}
