package engine

import (
	"fmt"
	"strings"
)

// rewriter turns one statement of Databricks SQL into DuckDB's. It works on tokens and knows the constructs in which the two differ;
// what both spell alike passes through, and what DuckDB does not know is refused by DuckDB itself.
type rewriter struct {
	params map[string]string
	// readFiles makes the objects behind a path pattern a relation, and returns its name.
	readFiles func(pattern string, wholeText bool) (string, error)
}

// rule rewrites what starts at toks[i]. It returns the SQL in place of it and the index behind it; ok is false if the rule does not apply.
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
	case "POSEXPLODE":
		return (*rewriter).posexplode
	case "EXPLODE":
		return (*rewriter).explode
	case "ARRAY":
		return (*rewriter).array
	}
	return nil
}

// prelude defines, for each session, the functions that DuckDB does not have. from_json is permissive, as on Databricks: text that is not
// JSON gives NULL, never an error. (DuckDB's TRY would do it too, at twice the time.)
var prelude = []string{
	"SET TimeZone = 'UTC'",
	"CREATE OR REPLACE TEMP MACRO from_json(value, structure) AS CASE WHEN json_valid(value) THEN json_transform(value, structure) END",
	"CREATE OR REPLACE TEMP MACRO regexp_like(s, p) AS regexp_matches(s, p)",
}

// rewrite returns the statements, to be run in one transaction, that do in DuckDB what the statement does on Databricks.
func (r *rewriter) rewrite(toks []token) ([]string, error) {
	toks = dropTableClauses(dropSchemaWord(toks))
	if target, condition, query, ok := replaceWhere(toks); ok {
		return r.each(append([]token{{word, "DELETE FROM "}}, append(append(target, token{word, " WHERE "}), condition...)...),
			append([]token{{word, "INSERT INTO "}}, append(append(target, token{space, " "}), query...)...))
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

// expression rewrites a run of tokens.
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
		return quoteName(unquoteName(t.text)), i + 1, nil
	case word:
		if apply := ruleOf(t.upper()); apply != nil {
			if sql, next, ok, err := apply(r, toks, i); ok || err != nil {
				return sql, next, err
			}
		}
	}
	return t.text, i + 1, nil
}

func (r *rewriter) parameter(t token) (string, error) {
	value, ok := r.params[t.text[1:]]
	if !ok {
		return "", fmt.Errorf("[UNBOUND_SQL_PARAMETER] found the unbound parameter: %s; give it a value in base_parameters", t.text[1:])
	}
	return value, nil
}

// identifier folds IDENTIFIER('catalog.' || :schema) to quoted names.
func (r *rewriter) identifier(toks []token, i int) (string, int, bool, error) {
	args, next, ok := call(toks, i)
	if !ok || len(args) != 1 {
		return "", 0, false, nil
	}
	name, err := r.constant(args[0])
	if err != nil {
		return "", 0, false, fmt.Errorf("IDENTIFIER: %w", err)
	}
	parts := strings.Split(name, ".")
	for k, part := range parts {
		parts[k] = quoteName(unquoteName(part))
	}
	return strings.Join(parts, "."), next, true, nil
}

// fromJSON translates the schema literal, and drops the options: DuckDB takes neither single quotes nor other leniency.
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

// posexplode(c) AS (p, v), a generator in the select list, becomes two expressions that DuckDB unnests side by side.
func (r *rewriter) posexplode(toks []token, i int) (string, int, bool, error) {
	args, next, ok := call(toks, i)
	if !ok || len(args) != 1 || at(toks, next).upper() != "AS" {
		return "", 0, false, nil
	}
	names, next, ok := call(toks, skip(toks, next))
	if !ok || len(names) != 2 {
		return "", 0, false, nil
	}
	list, err := r.expression(args[0])
	if err != nil {
		return "", 0, false, err
	}
	return fmt.Sprintf("generate_subscripts(%s, 1) - 1 AS %s, unnest(%s) AS %s", list, text(names[0]), list, text(names[1])), next, true, nil
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
	args, next, ok := call(toks, i)
	if !ok || len(args) == 0 {
		return "", 0, false, nil
	}
	options := map[string]string{}
	for _, arg := range args[1:] {
		name, value, err := r.option(arg)
		if err != nil {
			return "", 0, false, fmt.Errorf("read_files: %w", err)
		}
		options[name] = value
	}
	if options["format"] != "text" {
		return "", 0, false, fmt.Errorf("read_files: format %q: only 'text' is read here", options["format"])
	}
	pattern, err := r.constant(args[0])
	if err != nil {
		return "", 0, false, fmt.Errorf("read_files: %w", err)
	}
	relation, err := r.readFiles(pattern, strings.EqualFold(options["wholetext"], "true"))
	return relation, next, err == nil, err
}

// option reads `name => constant`.
func (r *rewriter) option(arg []token) (name, value string, err error) {
	for i, t := range arg {
		if t.text != "=>" {
			continue
		}
		name = strings.ToLower(text(arg[:i]))
		if literal := text(arg[i+1:]); strings.EqualFold(literal, "true") || strings.EqualFold(literal, "false") {
			return name, strings.ToLower(literal), nil
		}
		value, err = r.constant(arg[i+1:])
		return name, value, err
	}
	return "", "", fmt.Errorf("%q is not of the form name => value", text(arg))
}

// constant folds 'a' || :b || 'c' to its value.
func (r *rewriter) constant(toks []token) (string, error) {
	var b strings.Builder
	operand := true // what has to come next
	for _, t := range toks {
		if t.kind == space {
			continue
		}
		switch {
		case operand && t.kind == stringLiteral:
			b.WriteString(stringValue(t.text))
		case operand && t.kind == parameter:
			value, err := r.parameter(t)
			if err != nil {
				return "", err
			}
			b.WriteString(value)
		case !operand && t.text == "||":
		default:
			return "", fmt.Errorf("%q is not a constant string", text(toks))
		}
		operand = !operand
	}
	if operand {
		return "", fmt.Errorf("%q is not a constant string", text(toks))
	}
	return b.String(), nil
}

func quoteString(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
