package engine

import (
	"fmt"
	"strings"
)

// rewriter converts a statement of Databricks SQL to DuckDB's. It works on tokens and rewrites the
// constructs in which the two differ. Everything else passes unchanged, and DuckDB rejects what it
// does not support.
type rewriter struct {
	params parameters
	// readFiles loads the objects of a path pattern and returns the name of the relation.
	readFiles func(pattern string, wholeText bool) (string, error)
	// reads reports whether a query may read a table, through views, too; nil is a function that
	// always returns true.
	reads func(query, table []token) bool
	// foreign are the functions that statements may not call, in lower case.
	foreign map[string]bool
}

// rule rewrites the construct at toks[i]. It returns the new SQL and the index after the construct;
// ok is false if the rule does not apply.
type rule func(r *rewriter, toks []token, i int) (sql string, next int, ok bool, err error)

// ruleOf returns the rule for calls of a function, or nil if both dialects have it.
func ruleOf(function string) rule {
	switch function {
	case "IDENTIFIER":
		return (*rewriter).identifier
	case "READ_FILES":
		return (*rewriter).readFilesCall
	case "FROM_JSON":
		return (*rewriter).fromJSON
	case "EXPLODE":
		return (*rewriter).explode
	case "ARRAY":
		return (*rewriter).array
	}
	return nil
}

// prelude defines the functions that DuckDB does not have, for each session. As on Databricks,
// from_json returns NULL for text that is not JSON. (Where texts are not JSON, asking json_valid first
// would be twice as fast; landing has judged them, and elsewhere it parses each text twice.)
var prelude = []string{
	"CREATE OR REPLACE TEMP MACRO from_json(value, structure) AS TRY(json_transform(value, structure))",
	"CREATE OR REPLACE TEMP MACRO regexp_like(s, p) AS regexp_matches(s, p)",
	divMacro, sizeMacro, subscriptMacro, elementMacro,
}

// rewrite returns the statements of DuckDB, for one transaction, that do what the statement does on
// Databricks.
func (r *rewriter) rewrite(toks []token) ([]string, error) {
	toks, err := r.dropCatalog(dropTableClauses(dropSchemaWord(toks)))
	if err != nil {
		return nil, err
	}
	if err := refuse(toks); err != nil {
		return nil, err
	}
	if upper(toks) == "SHOW" {
		sql, err := r.show(toks)
		return []string{sql}, err
	}
	if isDescribe(toks) {
		sql, err := r.describe(toks)
		return []string{sql}, err
	}
	toks = divisions(subscripts(nameColumns(toks)))
	if target, condition, query, ok := replaceWhere(toks); ok {
		return r.replace(target, condition, query)
	}
	if target, query, ok := insertion(toks, "OVERWRITE"); ok {
		return r.replace(target, nil, query)
	}
	if target, query, ok := insertion(toks, "INTO"); ok && r.mayRead(query, (&cursor{toks: target}).name()) {
		return r.add(target, query)
	}
	return r.each(toks)
}

func (r *rewriter) each(statements ...[]token) ([]string, error) {
	var all []string
	for _, toks := range statements {
		sql, err := r.expression(toks)
		if err != nil {
			return nil, err
		}
		all = append(all, sql)
	}
	return all, nil
}

// expression rewrites a sequence of tokens.
func (r *rewriter) expression(toks []token) (string, error) {
	var b strings.Builder
	for i := 0; i < len(toks); {
		sql, next, err := r.one(toks, i)
		if err != nil {
			return "", err
		}
		b.WriteString(sql)
		i = next
	}
	return strings.TrimSpace(b.String()), nil
}

// one rewrites the token at i, or the construct that starts there.
func (r *rewriter) one(toks []token, i int) (sql string, next int, err error) {
	t := toks[i]
	switch t.kind {
	case parameter:
		value, err := r.parameter(t)
		return quoteString(value), i + 1, err
	case stringLiteral:
		return quoteString(stringValue(t.text)), i + 1, nil
	case quotedName:
		name := unquoteName(t.text)
		return quoteName(name), i + 1, r.refuseFunction(name, toks, i, i+1)
	case word:
		if err := r.refuseFunction(t.text, toks, i, i+1); err != nil {
			return "", 0, err
		}
		for _, apply := range []rule{ruleOf(t.upper()), (*rewriter).lateralPosexplode, (*rewriter).function, (*rewriter).keyword} {
			if apply == nil {
				continue
			}
			if sql, next, ok, err := apply(r, toks, i); ok || err != nil {
				return sql, next, err
			}
		}
	case number:
		if kind, ok := suffixes[at(toks, i+1).upper()]; ok && i+1 < len(toks) && toks[i+1].kind == word {
			return "CAST(" + t.text + " AS " + kind + ")", i + 2, nil
		}
	case operator:
		if t.text == "<=>" {
			return " IS NOT DISTINCT FROM ", i + 1, nil
		}
	}
	return t.text, i + 1, nil
}

func (r *rewriter) parameter(t token) (string, error) {
	value, ok := r.params.values[t.text[1:]]
	if !ok {
		return "", fmt.Errorf("[UNBOUND_SQL_PARAMETER] Found the unbound parameter: %s. Give it a value in %s. SQLSTATE: 42P02", t.text[1:], r.params.where)
	}
	return value, nil
}

// identifier evaluates IDENTIFIER('schema.' || :table) to quoted names.
func (r *rewriter) identifier(toks []token, i int) (string, int, bool, error) {
	args, next, ok := call(toks, i)
	if !ok || len(args) != 1 {
		return "", 0, false, nil
	}
	name, err := r.constant(args[0])
	if err != nil {
		return "", 0, false, fmt.Errorf("IDENTIFIER: %w", err)
	}
	var b strings.Builder
	for _, t := range nameTokens(name) {
		if t.kind == operator {
			b.WriteString(t.text)
		} else {
			part := unquoteName(t.text)
			if err := r.refuseFunction(part, toks, i, next); err != nil {
				return "", 0, false, err
			}
			b.WriteString(quoteName(part))
		}
	}
	return b.String(), next, true, nil
}

// nameParts returns the parts of a qualified name, or of IDENTIFIER(…), without quotes.
func (r *rewriter) nameParts(toks []token) ([]string, error) {
	if args, _, ok := call(toks, 0); ok && len(args) == 1 {
		name, err := r.constant(args[0])
		if err != nil {
			return nil, fmt.Errorf("IDENTIFIER: %w", err)
		}
		toks = tokens(name)
	}
	var parts []string
	for _, t := range toks {
		if t.kind != space && t.text != "." {
			parts = append(parts, unquoteName(t.text))
		}
	}
	return parts, nil
}

// fromJSON converts the schema literal and drops the options: DuckDB parses strict JSON only.
func (r *rewriter) fromJSON(toks []token, i int) (string, int, bool, error) {
	args, next, ok := call(toks, i)
	if !ok || len(args) < 2 {
		return "", 0, false, nil
	}
	value, err := r.expression(args[0])
	if err != nil {
		return "", 0, false, err
	}
	ddl, err := r.constant(args[1])
	if err != nil {
		return "", 0, false, fmt.Errorf("schema of from_json: %w", err)
	}
	structure, err := jsonStructure(ddl)
	if err != nil {
		return "", 0, false, err
	}
	return "from_json(" + value + ", " + quoteString(structure) + ")", next, true, nil
}

// lateralPosexplode is `relation, LATERAL posexplode(c) AS t(p, v)`: a row for each element beside the
// columns of its row. Two expressions that DuckDB unnests in parallel take its place, because a
// lateral join would copy the row's columns for each element.
func (r *rewriter) lateralPosexplode(toks []token, i int) (string, int, bool, error) {
	comma := skip(toks, i+1)
	lateral := skip(toks, comma+1)
	function := skip(toks, lateral+1)
	if at(toks, comma).text != "," || at(toks, lateral).upper() != "LATERAL" || at(toks, function).upper() != "POSEXPLODE" {
		return "", 0, false, nil
	}
	args, next, ok := call(toks, function)
	if !ok || len(args) != 1 {
		return "", 0, false, nil
	}
	if at(toks, next).upper() == "AS" {
		next = skip(toks, next) + 1
	}
	names, next, ok := call(toks, skip(toks, next))
	if !ok || len(names) != 2 {
		return "", 0, false, fmt.Errorf("LATERAL posexplode: this engine wants names, as in `%s, LATERAL posexplode(list) AS t(position, element)`", toks[i].text)
	}
	list, err := r.expression(args[0])
	if err != nil {
		return "", 0, false, err
	}
	relation := toks[i].text
	return fmt.Sprintf("(SELECT *, generate_subscripts(%s, 1) - 1 AS %s, unnest(%s) AS %s FROM %s) AS %s", list, text(names[0]), list, text(names[1]), relation, relation), next, true, nil
}

func (r *rewriter) explode(toks []token, i int) (string, int, bool, error) {
	args, next, ok := call(toks, i)
	if !ok || len(args) != 1 {
		return "", 0, false, nil
	}
	list, err := r.expression(args[0])
	return "unnest(" + list + ")", next, err == nil, err
}

// array is the function array(a, b) or the type ARRAY<T>.
func (r *rewriter) array(toks []token, i int) (string, int, bool, error) {
	switch at(toks, i+1).text {
	case "(":
		return "list_value", i + 1, true, nil
	case "<":
		for k, depth := skip(toks, i+1), 0; k < len(toks); k++ {
			switch toks[k].text {
			case "<":
				depth++
			case ">":
				depth--
			}
			if depth == 0 {
				element, err := r.expression(toks[skip(toks, i+1)+1 : k])
				return element + "[]", k + 1, err == nil, err
			}
		}
	}
	return "", 0, false, nil
}

// readFilesCall is read_files(pattern, format => 'text' [, wholeText => true]).
func (r *rewriter) readFilesCall(toks []token, i int) (string, int, bool, error) {
	if at(toks, i+1).text != "(" {
		return "", 0, false, nil
	}
	pattern, wholeText, next, err := r.readFilesArguments(toks, i)
	if err != nil {
		return "", 0, false, err
	}
	relation, err := r.readFiles(pattern, wholeText)
	return relation, next, err == nil, err
}

// readFilesArguments reads the call of read_files at i.
func (r *rewriter) readFilesArguments(toks []token, i int) (pattern string, wholeText bool, next int, err error) {
	args, next, ok := call(toks, i)
	if !ok || len(args) == 0 {
		return "", false, 0, fmt.Errorf("read_files: want read_files(path, format => 'text')")
	}
	options := map[string]string{}
	for _, arg := range args[1:] {
		name, value, err := r.option(arg)
		if err != nil {
			return "", false, 0, fmt.Errorf("read_files: %w", err)
		}
		options[name] = value
	}
	if options["format"] != "text" {
		return "", false, 0, fmt.Errorf("read_files: format %q: this engine reads only 'text'", options["format"])
	}
	if pattern, err = r.constant(args[0]); err != nil {
		return "", false, 0, fmt.Errorf("read_files: %w", err)
	}
	return pattern, strings.EqualFold(options["wholetext"], "true"), next, nil
}
