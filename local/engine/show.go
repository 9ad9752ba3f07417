package engine

import (
	"fmt"
	"slices"
	"strings"
)

// unsupported are the statements that the embedded engine does not translate, and what to do
// instead. DuckDB has statements of some of these names, which would do something else.
var unsupported = map[string]string{
	"ANALYZE": "leave it out: the engine needs no statistics", "ATTACH": "import the data with read_files", "BEGIN": "each statement is a transaction", "CACHE": "leave it out",
	"CALL": "write the statements that it would run", "CHECKPOINT": "leave it out", "CLEAR": "leave it out", "COMMIT": "each statement is a transaction",
	"COPY": "use INSERT INTO … SELECT … FROM read_files", "DECLARE": "use parameters", "DENY": "leave it out: the workspace has one user", "DETACH": "leave it out",
	"DEALLOCATE": "leave it out", "EXECUTE": "use IDENTIFIER(:name)", "EXPLAIN (…)": "use EXPLAIN <query>",
	"EXPORT": "read the table with the Statement Execution API", "FORCE": "leave it out", "FSCK": "leave it out", "GRANT": "leave it out: the workspace has one user",
	"IMPORT": "use INSERT INTO … SELECT … FROM read_files", "INSTALL": "leave it out", "LOAD": "leave it out", "MSCK": "leave it out", "OPTIMIZE": "leave it out: the engine compacts by itself",
	"PRAGMA": "leave it out", "PREPARE": "use parameters", "REFRESH": "leave it out: tables are always fresh", "REORG": "leave it out", "RESTORE": "rebuild the table: the engine keeps no versions",
	"REVOKE": "leave it out: the workspace has one user", "ROLLBACK": "each statement is a transaction", "START": "each statement is a transaction", "UNCACHE": "leave it out",
	"UNDROP": "rebuild the table: the engine keeps no versions", "VACUUM": "leave it out: the engine keeps no versions",
}

// unsupportedPhrases are clauses, as words in a row.
var unsupportedPhrases = []struct {
	words   []string
	instead string
}{
	{[]string{"LATERAL", "VIEW"}, "use explode in the select list"},
	{[]string{"VERSION", "AS", "OF"}, "the engine keeps no versions: keep a copy of the table"},
	{[]string{"TIMESTAMP", "AS", "OF"}, "the engine keeps no versions: keep a copy of the table"},
	{[]string{"DISTRIBUTE", "BY"}, "leave it out"},
	{[]string{"SORT", "BY"}, "use ORDER BY"},
	{[]string{"RLIKE"}, "use regexp_like(text, pattern)"},
	{[]string{"REGEXP"}, "use regexp_like(text, pattern)"},
	{[]string{"SHALLOW", "CLONE"}, "use CREATE TABLE … AS SELECT"},
	{[]string{"DEEP", "CLONE"}, "use CREATE TABLE … AS SELECT"},
}

func unsupportedError(what, instead string) error {
	return fmt.Errorf("[UNSUPPORTED_FEATURE] %s is not translated by the embedded engine: %s. SQLSTATE: 0A000", what, instead)
}

// refuse returns an error for what is not translated.
func refuse(toks []token) error {
	verb := verbOf(toks)
	if instead, ok := unsupported[verb]; ok {
		return unsupportedError(verb, instead)
	}
	for i, t := range toks {
		if t.text == "$" { // DuckDB's quote, within which it reads other tokens than this package
			return fmt.Errorf("[PARSE_SYNTAX_ERROR] Syntax error at or near '$'. SQLSTATE: 42601")
		}
		if t.kind != word {
			continue
		}
		for _, phrase := range unsupportedPhrases {
			if startsWith(toks, i, phrase.words) && (len(phrase.words) > 1 || afterOperand(toks, i)) {
				return unsupportedError(strings.Join(phrase.words, " "), phrase.instead)
			}
		}
	}
	return nil
}

// verbOf returns the first word of a statement, or of the statement that EXPLAIN explains: with
// ANALYZE it is run.
func verbOf(toks []token) string {
	c := &cursor{toks: toks}
	verb := c.next()
	if verb != "EXPLAIN" {
		return verb
	}
	for verb = c.next(); slices.Contains([]string{"ANALYZE", "VERBOSE", "EXTENDED", "FORMATTED", "CODEGEN", "COST"}, verb); {
		verb = c.next()
	}
	if verb == "(" {
		return "EXPLAIN (…)"
	}
	return verb
}

// startsWith reports whether these words are at toks[i].
func startsWith(toks []token, i int, words []string) bool {
	c := &cursor{toks: toks, i: i}
	for _, w := range words {
		if !c.accept(w) {
			return false
		}
	}
	return true
}

// show returns the query that does what SHOW does, with the columns that it has on Databricks.
func (r *rewriter) show(toks []token) (string, error) {
	c := &cursor{toks: toks}
	c.next()
	what := c.next()
	if what == "USER" || what == "ALL" { // SHOW USER FUNCTIONS
		what += " " + c.next()
	}
	var schema, pattern string
	for {
		switch word := c.next(); word {
		case "IN", "FROM":
			parts, err := r.nameParts(c.name())
			if err != nil {
				return "", err
			}
			schema = strings.Join(parts, ".")
		case "LIKE":
		case "":
			return showQuery(what, schema, pattern)
		default:
			t := c.toks[c.i-1]
			if t.kind != stringLiteral {
				return "", unsupportedError("SHOW "+what+" "+word, "use SHOW TABLES, VIEWS, SCHEMAS, CATALOGS or COLUMNS, with IN and LIKE")
			}
			pattern = stringValue(t.text)
		}
	}
}

func showQuery(what, in, pattern string) (string, error) {
	like := func(column string) string {
		if pattern == "" {
			return ""
		}
		// * matches any characters and | separates patterns.
		var all []string
		for _, p := range strings.Split(pattern, "|") {
			p = strings.NewReplacer("%", `\%`, "_", `\_`, "*", "%").Replace(strings.TrimSpace(p))
			all = append(all, fmt.Sprintf("%s ILIKE %s ESCAPE '\\'", column, quoteString(p)))
		}
		return " AND (" + strings.Join(all, " OR ") + ")"
	}
	schema := "current_schema()"
	if in != "" {
		schema = quoteString(in[strings.LastIndexByte(in, '.')+1:])
	}
	known := ""
	if in != "" {
		message := quoteString("[SCHEMA_NOT_FOUND] The schema `" + in + "` cannot be found: create it, or verify its name. SQLSTATE: 42704")
		known = " AND (SELECT CASE WHEN count(*) = 0 THEN error(" + message + ") ELSE true END FROM duckdb_schemas() WHERE database_name = current_catalog() AND lower(schema_name) = lower(" + schema + "))"
	}
	switch what {
	case "TABLES":
		return "SELECT table_schema AS database, table_name AS tableName, false AS isTemporary FROM information_schema.tables " +
			"WHERE table_catalog = current_catalog() AND lower(table_schema) = lower(" + schema + ")" + known + like("table_name") + " ORDER BY ALL", nil
	case "VIEWS":
		return "SELECT schema_name AS namespace, view_name AS viewName, temporary AS isTemporary, false AS isMaterialized FROM duckdb_views() " +
			"WHERE NOT internal AND (temporary OR lower(schema_name) = lower(" + schema + "))" + known + like("view_name") + " ORDER BY ALL", nil
	case "SCHEMAS", "DATABASES":
		return "SELECT schema_name AS databaseName FROM duckdb_schemas() WHERE NOT internal AND database_name = current_catalog()" + like("schema_name") + " ORDER BY ALL", nil
	case "CATALOGS":
		return "SELECT current_catalog() AS catalog WHERE true" + like("current_catalog()"), nil
	case "COLUMNS":
		if in == "" {
			return "", fmt.Errorf("[PARSE_SYNTAX_ERROR] SHOW COLUMNS needs a table: SHOW COLUMNS IN <table>. SQLSTATE: 42601")
		}
		return "SELECT column_name AS col_name FROM (DESCRIBE " + quotePath(in) + ")", nil
	}
	return "", unsupportedError("SHOW "+what, "use SHOW TABLES, VIEWS, SCHEMAS, CATALOGS or COLUMNS, with IN and LIKE")
}

// quotePath quotes the parts of a qualified name.
func quotePath(path string) string {
	var parts []string
	for _, part := range strings.Split(path, ".") {
		parts = append(parts, quoteName(part))
	}
	return strings.Join(parts, ".")
}

func isDescribe(toks []token) bool { return upper(toks) == "DESCRIBE" || upper(toks) == "DESC" }

// showTypes replaces the types in the result of DESCRIBE by those of Databricks, which it shows in
// small letters and without blanks.
func showTypes(table *Table) {
	for _, row := range table.Rows {
		if kind, ok := row[1].(string); ok {
			row[1] = strings.NewReplacer(": ", ":", ", ", ",").Replace(strings.ToLower(databricksType(kind)))
		}
	}
}

// describe returns the query that does what DESCRIBE does. Its types are DuckDB's.
func (r *rewriter) describe(toks []token) (string, error) {
	c := &cursor{toks: toks}
	c.next()
	switch w := at(c.toks, c.i).upper(); {
	case w == "TABLE":
		c.next()
	case slices.Contains([]string{"DETAIL", "HISTORY", "EXTENDED", "FORMATTED", "FUNCTION", "SCHEMA", "DATABASE", "CATALOG"}, w):
		return "", unsupportedError("DESCRIBE "+w, "use DESCRIBE <table>")
	case w == "QUERY":
		c.next()
	}
	if w := at(c.toks, c.i).upper(); w == "EXTENDED" || w == "FORMATTED" {
		return "", unsupportedError("DESCRIBE TABLE "+w, "use DESCRIBE <table>")
	}
	target, err := r.expression(c.rest())
	if err != nil {
		return "", err
	}
	return "SELECT column_name AS col_name, column_type AS data_type, CAST(NULL AS VARCHAR) AS comment FROM (DESCRIBE " + target + ")", nil
}
