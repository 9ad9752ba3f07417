package engine

import (
	"errors"
	"regexp"
	"strings"
)

// notebookHeader is the first line of a SQL notebook in source format.
const notebookHeader = "-- Databricks notebook source"

var cellBorder = regexp.MustCompile(`(?m)^-- COMMAND -+[ \t\r]*$`)

// statement is a SQL statement of a notebook without comments. cell and number count from 1.
type statement struct {
	cell, number int
	toks         []token
}

// splitNotebook returns the statements of a notebook in source format. It leaves out Markdown cells
// and rejects other languages.
func splitNotebook(source string) ([]statement, error) {
	source = strings.ReplaceAll(source, "\r\n", "\n")
	header, body, _ := strings.Cut(source, "\n")
	if strings.TrimSpace(header) != notebookHeader {
		return nil, errors.New("not a SQL notebook in source format: its first line is not " + notebookHeader)
	}
	var all []statement
	for i, cell := range cellBorder.Split(body, -1) {
		language, magic := magicLanguage(cell)
		if magic && language != "md" && language != "sql" {
			return nil, errors.New("cell in " + language + ": this engine runs only SQL and Markdown cells")
		}
		if magic && language == "md" {
			continue
		}
		for number, toks := range splitStatements(cell) {
			all = append(all, statement{cell: i + 1, number: number + 1, toks: toks})
		}
	}
	return all, nil
}

// magicLanguage returns the language of a cell that starts with a %magic.
func magicLanguage(cell string) (string, bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(cell), "-- MAGIC %")
	if !ok {
		return "", false
	}
	language, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(strings.Fields(language + " ")[0]), true
}

// splitStatements splits SQL at its semicolons, and replaces comments by blanks.
func splitStatements(sql string) [][]token {
	var all [][]token
	var current []token
	end := func() {
		if skip(current, 0) < len(current) {
			all = append(all, current)
		}
		current = nil
	}
	for _, t := range tokens(sql) {
		switch {
		case t.text == ";":
			end()
		case t.kind == space && strings.TrimSpace(t.text) != "":
			current = append(current, token{space, " "})
		default:
			current = append(current, t)
		}
	}
	end()
	return all
}
