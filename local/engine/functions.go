package engine

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// functions are the functions of Databricks SQL that DuckDB lacks or understands differently: what
// a call becomes, by the number of its arguments. $1 is the first argument, $* are all of them with
// commas, and 0 is any number of arguments.
var functions = map[string]map[int]string{
	"ADD_MONTHS":            {2: "CAST(CAST($1 AS DATE) + to_months(CAST($2 AS INTEGER)) AS DATE)"},
	"APPROX_PERCENTILE":     {2: "quantile_disc($1, $2)", 3: "quantile_disc($1, $2)"},
	"ARRAY_JOIN":            {2: "array_to_string($1, $2)"},
	"ARRAY_MAX":             {1: "list_max($1)"},
	"ARRAY_MIN":             {1: "list_min($1)"},
	"CARDINALITY":           {1: "size($1)"},
	"CURRENT_TIMESTAMP":     {0: "get_current_timestamp()"},
	"DATE_ADD":              {2: "(CAST($1 AS DATE) + CAST($2 AS INTEGER))"},
	"DATE_SUB":              {2: "(CAST($1 AS DATE) - CAST($2 AS INTEGER))"},
	"DATEDIFF":              {2: "CAST(date_diff('day', CAST($2 AS DATE), CAST($1 AS DATE)) AS INTEGER)"},
	"DATE_DIFF":             {2: "CAST(date_diff('day', CAST($2 AS DATE), CAST($1 AS DATE)) AS INTEGER)"},
	"ELEMENT_AT":            {2: "element_of($1, $2)"},
	"EVERY":                 {1: "bool_and($1)"},
	"GET":                   {2: "CASE WHEN $2 >= 0 THEN list_extract($1, $2 + 1) END"},
	"GET_JSON_OBJECT":       {2: "json_extract_string($1, $2)"},
	"ISNOTNULL":             {1: "($1 IS NOT NULL)"},
	"ISNULL":                {1: "($1 IS NULL)"},
	"LOCATE":                {2: "instr($2, $1)"},
	"MAP_FROM_ARRAYS":       {2: "map($1, $2)"},
	"NVL":                   {2: "coalesce($1, $2)"},
	"NVL2":                  {3: "CASE WHEN $1 IS NOT NULL THEN $2 ELSE $3 END"},
	"PERCENTILE":            {2: "quantile_cont($1, $2)"},
	"PERCENTILE_APPROX":     {2: "quantile_disc($1, $2)", 3: "quantile_disc($1, $2)"},
	"RAISE_ERROR":           {1: "error($1)"},
	"RAND":                  {0: "random()"},
	"REGEXP_EXTRACT":        {2: "regexp_extract($1, $2, 1)"},
	"SEQUENCE":              {2: "generate_series($1, $2)", 3: "generate_series($1, $2, $3)"},
	"SIZE":                  {1: "size($1)"},
	"SHA2":                  {2: "sha256($1)"},
	"SLICE":                 {3: "list_slice($1, $2, $2 + $3 - 1)"},
	"SORT_ARRAY":            {1: "list_sort($1)"},
	"SPLIT":                 {2: "regexp_split_to_array($1, $2)"},
	"TRANSFORM":             {2: "list_transform($1, $2)"},
	"TRY_DIVIDE":            {2: "CASE WHEN $2 <> 0 THEN $1 / $2 END"},
	"UNIX_TIMESTAMP":        {0: "CAST(epoch(now()) AS BIGINT)", 1: "CAST(epoch(CAST($1 AS TIMESTAMP)) AS BIGINT)"},
	"FROM_UNIXTIME":         {1: "strftime(make_timestamp(CAST($1 AS BIGINT) * 1000000), '%Y-%m-%d %H:%M:%S')"},
	"MAKE_TIMESTAMP_NTZ":    {6: "make_timestamp($*)"},
	"APPROX_COUNT_DISTINCT": {2: "approx_count_distinct($1)"},
}

// builders make the calls that a template cannot.
var builders = map[string]func(args []string) (string, error){
	"COLLECT_LIST":   func(args []string) (string, error) { return collect("", args) },
	"COLLECT_SET":    func(args []string) (string, error) { return collect("DISTINCT ", args) },
	"CONCAT":         concat,
	"DATE_FORMAT":    dateFormat,
	"MAP":            buildMap,
	"NAMED_STRUCT":   namedStruct,
	"REGEXP_REPLACE": regexpReplace,
	"TO_DATE":        func(args []string) (string, error) { return parseTime("DATE", args) },
	"TO_TIMESTAMP":   func(args []string) (string, error) { return parseTime("TIMESTAMP", args) },
	"TRUNC":          truncate,
}

// function rewrites a call of a function in functions or builders.
func (r *rewriter) function(toks []token, i int) (string, int, bool, error) {
	name := toks[i].upper()
	templates, build := functions[name], builders[name]
	if templates == nil && build == nil {
		return "", 0, false, nil
	}
	raw, next, ok := call(toks, i)
	if !ok {
		return "", 0, false, nil
	}
	args := make([]string, len(raw))
	for k, arg := range raw {
		var err error
		if args[k], err = r.expression(arg); err != nil {
			return "", 0, false, err
		}
	}
	if build != nil {
		sql, err := build(args)
		if err != nil {
			return "", 0, false, fmt.Errorf("[UNSUPPORTED_FEATURE] %s: %w. SQLSTATE: 0A000", strings.ToLower(name), err)
		}
		return sql, next, true, nil
	}
	template, ok := templates[len(args)]
	if !ok {
		return "", 0, false, nil // DuckDB's own, or its error
	}
	return fill(template, args), next, true, nil
}

var place = regexp.MustCompile(`\$[*0-9]`)

func fill(template string, args []string) string {
	return place.ReplaceAllStringFunc(template, func(p string) string {
		if p == "$*" {
			return strings.Join(args, ", ")
		}
		n, err := strconv.Atoi(p[1:])
		if err != nil || n > len(args) {
			return p // cannot happen: the templates are ours
		}
		return args[n-1]
	})
}

// collect leaves NULL out, and is empty rather than NULL without rows.
func collect(distinct string, args []string) (string, error) {
	if len(args) != 1 {
		return "", errArguments(1, args)
	}
	value := args[0]
	if rest, ok := cutWord(value, "DISTINCT"); ok {
		distinct, value = "DISTINCT ", rest
	}
	return fmt.Sprintf("coalesce(list(%s%s) FILTER (WHERE %s IS NOT NULL), [])", distinct, value, value), nil
}

func cutWord(text, word string) (string, bool) {
	if len(text) > len(word) && strings.EqualFold(text[:len(word)], word) && text[len(word)] == ' ' {
		return strings.TrimSpace(text[len(word):]), true
	}
	return text, false
}

// concat is NULL if one of its arguments is; DuckDB's leaves NULL out.
func concat(args []string) (string, error) {
	if len(args) == 0 {
		return "''", nil
	}
	return "(" + strings.Join(args, " || ") + ")", nil
}

func buildMap(args []string) (string, error) {
	if len(args)%2 != 0 {
		return "", fmt.Errorf("want keys and values in turn, got %d arguments", len(args))
	}
	var keys, values []string
	for i := 0; i < len(args); i += 2 {
		keys, values = append(keys, args[i]), append(values, args[i+1])
	}
	if len(keys) == 0 {
		return "map()", nil
	}
	return fmt.Sprintf("map([%s], [%s])", strings.Join(keys, ", "), strings.Join(values, ", ")), nil
}

func namedStruct(args []string) (string, error) {
	if len(args) == 0 || len(args)%2 != 0 {
		return "", fmt.Errorf("want names and values in turn, got %d arguments", len(args))
	}
	var fields []string
	for i := 0; i < len(args); i += 2 {
		name, ok := literal(args[i])
		if !ok {
			return "", fmt.Errorf("the name of a field must be a text, it is %s", args[i])
		}
		fields = append(fields, quoteName(name)+" := "+args[i+1])
	}
	return "struct_pack(" + strings.Join(fields, ", ") + ")", nil
}

// groupReference is a group in a replacement: $1 in Java, \1 in DuckDB.
var groupReference = regexp.MustCompile(`\$(\d)`)

// regexpReplace replaces every match; DuckDB's replaces the first.
func regexpReplace(args []string) (string, error) {
	if len(args) != 3 {
		return "", errArguments(3, args)
	}
	if replacement, ok := literal(args[2]); ok {
		args[2] = quoteString(groupReference.ReplaceAllString(replacement, `\$1`))
	}
	return fmt.Sprintf("regexp_replace(%s, 'g')", strings.Join(args, ", ")), nil
}

// sizeMacro counts the entries of a map or the elements of an array. DuckDB has a function for each,
// and none that takes both; the JSON of a column tells which it is.
const sizeMacro = "CREATE OR REPLACE TEMP MACRO size(a) AS CAST(CASE json_type(to_json(a)) " +
	"WHEN 'ARRAY' THEN json_array_length(to_json(a)) WHEN 'OBJECT' THEN len(json_keys(to_json(a))) END AS INTEGER)"

// truncations are the units of trunc, which truncates dates, in date_trunc's words.
var truncations = map[string]string{
	"YEAR": "year", "YYYY": "year", "YY": "year", "QUARTER": "quarter", "MONTH": "month", "MM": "month", "MON": "month", "WEEK": "week",
}

func truncate(args []string) (string, error) {
	if len(args) != 2 {
		return "", errArguments(2, args)
	}
	name, _ := literal(args[1])
	unit, ok := truncations[strings.ToUpper(name)]
	if !ok {
		return "", fmt.Errorf("the unit %s is not one of YEAR, QUARTER, MONTH and WEEK; use date_trunc", args[1])
	}
	return fmt.Sprintf("CAST(date_trunc('%s', CAST(%s AS DATE)) AS DATE)", unit, args[0]), nil
}

// literal returns the value of a string literal of DuckDB.
func literal(sql string) (string, bool) {
	if len(sql) < 2 || sql[0] != '\'' || sql[len(sql)-1] != '\'' {
		return "", false
	}
	inner := sql[1 : len(sql)-1]
	if strings.Contains(strings.ReplaceAll(inner, "''", ""), "'") {
		return "", false // 'a' || 'b'
	}
	return strings.ReplaceAll(inner, "''", "'"), true
}

func errArguments(want int, args []string) error {
	return fmt.Errorf("want %d arguments, got %d", want, len(args))
}

// afterOperand reports whether toks[i] follows an operand, so that it is an infix operator.
func afterOperand(toks []token, i int) bool {
	for k := i - 1; k >= 0; k-- {
		t := toks[k]
		switch t.kind {
		case space:
			continue
		case word:
			return !slices.Contains([]string{"SELECT", "WHERE", "AND", "OR", "NOT", "BY", "ON", "AS", "FROM", "THEN", "ELSE", "WHEN"}, t.upper())
		}
		return t.kind != operator || t.text == ")" || t.text == "]"
	}
	return false
}
