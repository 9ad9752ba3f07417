package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
)

// TestCommonSQL holds constructs of Databricks SQL that DuckDB lacks or understands differently:
// columns, types and rows are those of Databricks.
func TestCommonSQL(t *testing.T) {
	t.Parallel()
	e := open(t, store{})
	for _, sql := range []string{
		"CREATE TABLE pins.v (x INT, s STRING, m MAP<STRING, INT>, d DATE)",
		"INSERT INTO pins.v VALUES (1, 'a', map('k', 7), DATE '2022-10-18'), (2, 'b', NULL, NULL), (3, NULL, NULL, NULL), (4, 'd', NULL, NULL)",
		"CREATE TABLE pins.typed (id BIGINT, name STRING, tags ARRAY<STRING>, price DECIMAL(10,2), moment TIMESTAMP, day DATE, share DOUBLE, few FLOAT, raw BINARY, ok BOOLEAN, counts MAP<STRING, INT>, place STRUCT<lat: DOUBLE, names: ARRAY<STRING>>)",
		"CREATE VIEW pins.seen AS SELECT x FROM pins.v",
	} {
		_, err := e.Query(t.Context(), engine.Query{SQL: sql})
		require.NoError(t, err, sql)
	}
	for _, c := range []struct{ sql, columns, rows string }{
		{"SELECT id FROM range(3)", "id BIGINT", "[[0] [1] [2]]"},
		{"SELECT r.id, s.id FROM range(1, 3) AS r JOIN range(2, 9, 2) s ON r.id = s.id", "id BIGINT, id BIGINT", "[[2 2]]"},
		{"SELECT sum(id) FROM range(5), (SELECT 1)", "sum(id) DECIMAL(38,0)", "[[10]]"},
		{"SELECT date_format(DATE '2022-03-04', 'yyyy-MM-dd EEEE d.M.yy')", "date_format(DATE 2022-03-04, yyyy-MM-dd EEEE d.M.yy) STRING", "[[2022-03-04 Friday 4.3.22]]"},
		{"SELECT date_format('2022-03-04 15:06:07.089', \"HH:mm:ss.SSS a 'at' hh\") AS t", "t STRING", "[[15:06:07.089 PM at 03]]"},
		{"SELECT to_date('18.10.2022', 'dd.MM.yyyy') AS a, to_date('2022-10-18') AS b", "a DATE, b DATE", "[[2022-10-18 00:00:00 +0000 UTC 2022-10-18 00:00:00 +0000 UTC]]"},
		{"SELECT size(array(1, 2)), size(map('a', 1)) AS m, size(split('a1b22c', '[0-9]+')) AS s", "size(array(1, 2)) INT, m INT, s INT", "[[2 1 3]]"},
		{"SELECT 7 DIV 2 AS a, -7 DIV 2 AS b, x DIV 2 AS c FROM v WHERE x = 3", "a BIGINT, b BIGINT, c BIGINT", "[[3 -3 1]]"},
		{"SELECT 7.5 DIV 2 AS a, -7.5 DIV 2 AS b, 0.3 DIV 0.1 AS c, 2.5D DIV 0.5 AS d, 1 + 2 * 7.5 DIV (1 + 1) - 3 AS e, x * 3 DIV abs(v.x) DIV 2 AS f FROM v WHERE x = 3", "a BIGINT, b BIGINT, c BIGINT, d BIGINT, e BIGINT, f BIGINT", "[[3 -3 3 5 5 1]]"},
		{"SELECT map('k', 8)['k'] DIV 3 AS a, CAST(9.9 AS DECIMAL(10,2)) DIV x::DECIMAL(4,1) AS b, 9223372036854775807 DIV 2 AS c, NULL DIV 2 AS d, CASE WHEN x = 3 THEN 7 END DIV 2 > 2 AS e, 7 DIV CASE WHEN true THEN 2 END AS f FROM v WHERE x DIV 3 = 1 AND x = 3", "a BIGINT, b BIGINT, c BIGINT, d BIGINT, e BOOLEAN, f BIGINT", "[[2 3 4611686018427387903 <nil> true 3]]"},
		{"SELECT size(m) AS a, cardinality(m) AS b, size(map()) AS c, size(array(array(1), NULL)) + size(array(map('a', 1))) + size(split('a,b', ',')) + size(array()) AS d FROM v WHERE x < 3 ORDER BY x", "a INT, b INT, c INT, d INT", "[[1 1 0 5] [<nil> <nil> 0 5]]"},
		{"SELECT map('a', 1, 'b', 2) AS m, map('a', 1)['a'] AS v, m['k'] AS k FROM v WHERE x = 1", "m MAP<STRING, INT>, v INT, k INT", "[[map[a:1 b:2] 1 7]]"},
		{"SELECT array(9, 8)[1] AS a, split('a b', ' ')[0] AS b, array(array(1, 2), array(3))[0][1] AS c, map('k', 8)['k'] AS d, named_struct('f', array(7)).f[0] AS e, -l[i] AS f, m[k] AS g FROM (SELECT array(5, 6) AS l, 1 AS i, map('a', 4) AS m, 'a' AS k)", "a INT, b STRING, c INT, d INT, e INT, f INT, g INT", "[[8 a 2 8 7 -6 4]]"},
		{"SELECT get(array(9, 8), 0) AS a, get(array(9, 8), 2) AS b, get(array(9, 8), -1) AS c, element_at(array(9, 8), 1) AS d, element_at(map('a', 4), 'a') AS e, CAST(NULL AS ARRAY<INT>)[0] AS f", "a INT, b INT, c INT, d INT, e INT, f INT", "[[9 <nil> <nil> 9 4 <nil>]]"},
		{"SELECT named_struct('a', 1, 'b c', 'x') AS s, named_struct('a', 1).a AS v", "s STRUCT<a: INT, `b c`: STRING>, v INT", "[[map[a:1 b c:x] 1]]"},
		{"SELECT percentile_approx(x, 0.5), percentile_approx(x, array(0.25, 1.0), 100) AS p, percentile(x, 0.5) AS q FROM v", "percentile_approx(x, 0.5) INT, p ARRAY<INT>, q DOUBLE", "[[2 [1 4] 2.5]]"},
		{"SELECT count(*), count(*) AS n, count(x) FROM v", "count(1) BIGINT, n BIGINT, count(x) BIGINT", "[[4 4 4]]"},
		{"SELECT count(*) FILTER (WHERE x > 1) FROM v", "count(1) FILTER (WHERE (x > 1)) BIGINT", "[[3]]"},
		{"SELECT * FROM (SELECT count(*) FROM v)", "count(1) BIGINT", "[[4]]"},
		{"SELECT explode(array(1, 2))", "col INT", "[[1] [2]]"},
		{"SELECT collect_list(s) AS l, size(collect_set(s)) AS n FROM v WHERE x > 1", "l ARRAY<STRING>, n INT", "[[[b d] 2]]"},
		{"SELECT nvl(NULL, 1) AS a, nvl2(NULL, 1, 2) AS b, if(true, 1, 2) AS c, NULL <=> NULL AS d, isnull(1) AS e, concat('a', s) AS f FROM v WHERE x = 3", "a INT, b INT, c INT, d BOOLEAN, e BOOLEAN, f STRING", "[[1 2 1 true false <nil>]]"},
		{"SELECT datediff(DATE '2022-03-01', '2022-02-01') AS a, date_sub(DATE '2022-03-01', 1) = DATE '2022-02-28' AS b, add_months(DATE '2022-01-31', 1) = DATE '2022-02-28' AS c, trunc(DATE '2022-03-15', 'MM') = DATE '2022-03-01' AS d", "a INT, b BOOLEAN, c BOOLEAN, d BOOLEAN", "[[28 true true true]]"},
		{"SELECT regexp_replace('a1b2', '([0-9])', '<$1>') AS a, regexp_extract('x12', '([0-9])([0-9])') AS b, array_join(array('a', 'b'), '-') AS c, slice(sequence(1, 5), 2, 3) AS d", "a STRING, b STRING, c STRING, d ARRAY<BIGINT>", "[[a<1>b<2> 1 a-b [2 3 4]]]"},
		{"SELECT 1L AS a, 2.5D AS b", "a BIGINT, b DOUBLE", "[[1 2.5]]"},
		{"SELECT a.x FROM v AS a LEFT ANTI JOIN (SELECT 1 AS x) AS b ON a.x = b.x ORDER BY x", "x INT", "[[2] [3] [4]]"},
		{"SHOW TABLES IN main.pins LIKE 'v|s*'", "database STRING, tableName STRING, isTemporary BOOLEAN", "[[pins seen false] [pins v false]]"},
		{"SHOW TABLES FROM `pins` 't*'", "database STRING, tableName STRING, isTemporary BOOLEAN", "[[pins typed false]]"},
		{"SHOW SCHEMAS LIKE 'p*'", "databaseName STRING", "[[pins]]"},
		{"SHOW VIEWS IN pins", "namespace STRING, viewName STRING, isTemporary BOOLEAN, isMaterialized BOOLEAN", "[[pins seen false false]]"},
		{"SHOW COLUMNS IN pins.v", "col_name STRING", "[[x] [s] [m] [d]]"},
		{"DESCRIBE pins.v", "col_name STRING, data_type STRING, comment STRING", "[[x int <nil>] [s string <nil>] [m map<string,int> <nil>] [d date <nil>]]"},
		{"DESC TABLE pins.typed", "col_name STRING, data_type STRING, comment STRING",
			"[[id bigint <nil>] [name string <nil>] [tags array<string> <nil>] [price decimal(10,2) <nil>] [moment timestamp <nil>] [day date <nil>] [share double <nil>] [few float <nil>] [raw binary <nil>] [ok boolean <nil>] [counts map<string,int> <nil>] [place struct<lat:double,names:array<string>> <nil>]]"},
		{"DESCRIBE QUERY SELECT 1 AS a", "col_name STRING, data_type STRING, comment STRING", "[[a int <nil>]]"},
	} {
		t.Run(c.sql, func(t *testing.T) {
			table, err := e.Query(t.Context(), engine.Query{SQL: c.sql, Schema: "pins"})
			require.NoError(t, err)
			var columns string
			for i, column := range table.Columns {
				if i > 0 {
					columns += ", "
				}
				columns += column.Name + " " + column.Type
			}
			require.Equal(t, c.columns, columns)
			require.Equal(t, c.rows, fmt.Sprint(table.Rows))
		})
	}

	t.Run("a_division_by_zero_fails", func(t *testing.T) {
		for _, sql := range []string{"SELECT 7 DIV 0", "SELECT 7.5 DIV (1 - 1)", "SELECT x DIV 0.0 FROM pins.v"} {
			_, err := e.Query(t.Context(), engine.Query{SQL: sql})
			require.ErrorContains(t, err, "[DIVIDE_BY_ZERO]", sql)
		}
	})

	t.Run("an_index_that_the_array_lacks_fails", func(t *testing.T) {
		for _, sql := range []string{"SELECT array(9, 8)[2]", "SELECT array(9)[-1]"} {
			_, err := e.Query(t.Context(), engine.Query{SQL: sql})
			require.ErrorContains(t, err, "[INVALID_ARRAY_INDEX]", sql)
		}
	})

	t.Run("insert_overwrite_replaces_all_rows", func(t *testing.T) {
		for _, sql := range []string{"CREATE TABLE pins.o AS SELECT 1 AS x", "INSERT OVERWRITE pins.o SELECT 2", "INSERT OVERWRITE TABLE pins.o VALUES (3), (4)"} {
			_, err := e.Query(t.Context(), engine.Query{SQL: sql})
			require.NoError(t, err, sql)
		}
		table, err := e.Query(t.Context(), engine.Query{SQL: "SELECT x FROM pins.o ORDER BY x"})
		require.NoError(t, err)
		require.Equal(t, "[[3] [4]]", fmt.Sprint(table.Rows))
	})

	t.Run("what_is_not_translated_is_refused_by_name", func(t *testing.T) {
		for sql, want := range map[string][2]string{
			"OPTIMIZE pins.v":                                {"OPTIMIZE", "leave it out"},
			"COPY INTO pins.v FROM 's3://b/x'":               {"COPY", "read_files"},
			"ATTACH '/tmp/x.duckdb'":                         {"ATTACH", "read_files"},
			"BEGIN TRANSACTION":                              {"BEGIN", "transaction"},
			"SELECT * FROM v VERSION AS OF 1":                {"VERSION AS OF", "versions"},
			"SELECT s FROM v LATERAL VIEW explode(m) t AS k": {"LATERAL VIEW", "explode"},
			"SELECT s RLIKE 'a' FROM v":                      {"RLIKE", "regexp_like"},
			"SHOW FUNCTIONS":                                 {"SHOW FUNCTIONS", "SHOW TABLES"},
			"DESCRIBE HISTORY v":                             {"DESCRIBE HISTORY", "DESCRIBE <table>"},
			"SELECT date_format(d, 'QQQ') FROM v":            {"QQQ", "use the letters"},
			"SELECT date_format(d, s) FROM v":                {"date_format", "constant"},
			"SELECT initcap(s) FROM v":                       {"initcap", "not translated"},
			"SELECT months_between(d, d) FROM v":             {"months_between", "not translated"},
		} {
			_, err := e.Query(t.Context(), engine.Query{SQL: sql, Schema: "pins"})
			require.ErrorContains(t, err, want[0], sql)
			require.ErrorContains(t, err, want[1], sql)
			require.Regexp(t, `\[(UNSUPPORTED_FEATURE|UNRESOLVED_ROUTINE)\].*SQLSTATE`, err.Error(), sql)
		}
	})
}
