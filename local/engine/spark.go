package engine

import (
	"fmt"
	"strings"
)

// Statement is a SQL statement of a notebook; Cell and Number count from 1.
type Statement struct {
	Cell, Number int
	toks         []token
}

// Statements returns the statements of a notebook in source format.
func Statements(source string) ([]Statement, error) {
	split, err := splitNotebook(source)
	all := make([]Statement, len(split))
	for i, s := range split {
		all[i] = Statement{Cell: s.cell, Number: s.number, toks: s.toks}
	}
	return all, err
}

// OneStatement returns the only statement of a text.
func OneStatement(sql string) (Statement, error) {
	split := splitStatements(sql)
	if len(split) != 1 {
		return Statement{}, &StatementError{SQL: sql, Message: fmt.Sprintf("[PARSE_SYNTAX_ERROR] want one statement, got %d", len(split))}
	}
	return Statement{Cell: 1, Number: 1, toks: split[0]}, nil
}

// SparkRules are the constructs of the notebooks that open-source Spark lacks, and what OnSpark
// makes of them.
var SparkRules = [][2]string{
	{":name", "a literal: Delta's parser leaves the named parameters of a session unbound (UNBOUND_SQL_PARAMETER)"},
	{"read_files(path, format => 'text')", "text.`path`: the same scan, with the same _metadata"},
}

// OnSpark returns the statement as open-source Spark takes it. files makes the objects of a pattern
// available and returns the path pattern at which Spark finds them.
func (s Statement) OnSpark(params map[string]string, files func(pattern string) (string, error)) (string, error) {
	r := &rewriter{params: parameters{params, "the parameters of the statement or notebook"}}
	var b strings.Builder
	for i := 0; i < len(s.toks); i++ {
		switch t := s.toks[i]; {
		case t.kind == parameter:
			value, err := r.parameter(t)
			if err != nil {
				return "", err
			}
			b.WriteString(sparkString(value))
		case t.upper() == "READ_FILES" && at(s.toks, i+1).text == "(":
			pattern, wholeText, next, err := r.readFilesArguments(s.toks, i)
			if err != nil {
				return "", err
			}
			path, err := files(pattern)
			if err != nil {
				return "", err
			}
			b.WriteString("IDENTIFIER(" + sparkString("text.`"+strings.ReplaceAll(path, "`", "``")+"`") + ")")
			if wholeText {
				b.WriteString(" WITH ('wholeText' = 'true')")
			}
			i = next - 1
		default:
			b.WriteString(t.text)
		}
	}
	return strings.TrimSpace(b.String()), nil
}

// Failed returns the error of the statement.
func (s Statement) Failed(message string) *StatementError {
	return &StatementError{Cell: s.Cell, Statement: s.Number, SQL: text(s.toks), Message: strings.TrimSpace(message)}
}

// sparkString quotes a string as a literal of Spark.
func sparkString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
