package engine

import (
	"fmt"
	"strings"
)

// suffixes are the types of numbers that end with a letter, as in 1L. DuckDB would take the letter
// for the name of the column.
var suffixes = map[string]string{"L": "BIGINT", "S": "SMALLINT", "Y": "TINYINT", "D": "DOUBLE", "F": "FLOAT", "BD": "DECIMAL(38,18)"}

// keyword rewrites words that are no function: the LEFT of LEFT ANTI JOIN, the relation range.
func (r *rewriter) keyword(toks []token, i int) (string, int, bool, error) {
	switch toks[i].upper() {
	case "LEFT":
		if next := at(toks, i+1).upper(); next == "ANTI" || next == "SEMI" {
			return "", i + 1, true, nil
		}
	case "MAP", "STRUCT":
		return r.nestedType(toks, i)
	case "RANGE":
		return r.rangeRelation(toks, i)
	}
	return "", 0, false, nil
}

// rangeRelation is range(n) in a FROM clause, whose column is id; a fourth argument, the number of
// partitions, does not count.
func (r *rewriter) rangeRelation(toks []token, i int) (string, int, bool, error) {
	args, next, ok := call(toks, i)
	if !ok || len(args) == 0 || !isRelation(toks, i) {
		return "", 0, false, nil
	}
	var bounds []string
	for _, arg := range args[:min(len(args), 3)] {
		bound, err := r.expression(arg)
		if err != nil {
			return "", 0, false, err
		}
		bounds = append(bounds, bound)
	}
	return fmt.Sprintf("(SELECT range AS id FROM range(%s))", strings.Join(bounds, ", ")), next, true, nil
}

// isRelation reports whether toks[i] is in a FROM clause, not in an expression.
func isRelation(toks []token, i int) bool {
	depth := 0
	for k := i - 1; k >= 0; k-- {
		switch t := toks[k]; {
		case t.text == ")":
			depth++
		case t.text == "(":
			if depth--; depth < 0 {
				return false
			}
		case depth > 0 || t.kind != word:
		case t.upper() == "FROM" || t.upper() == "JOIN":
			return true
		case t.upper() == "SELECT" || t.upper() == "WHERE" || t.upper() == "ON" || t.upper() == "BY":
			return false
		}
	}
	return false
}
