package notebooks

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOpen(t *testing.T) {
	t.Run("reads_the_notebooks_of_a_directory", func(t *testing.T) {
		dir := t.TempDir()
		write := func(name, source string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(source), 0o600))
		}
		_, err := Open(dir)
		require.ErrorContains(t, err, "*.sql")
		write("query.sql", "-- Databricks notebook source\r\nSELECT 1\r\n")
		write("README.md", "not a notebook")
		all, err := Open(dir)
		require.NoError(t, err)
		require.Equal(t, []Notebook{{Name: "query", Source: "-- Databricks notebook source\r\nSELECT 1\r\n"}}, all)
		write("broken.sql", "SELECT 1\n")
		_, err = Open(dir)
		require.ErrorContains(t, err, "broken.sql is not a notebook")
		_, err = Open(filepath.Join(dir, "missing"))
		require.ErrorIs(t, err, fs.ErrNotExist)
		all, err = Open(".")
		require.NoError(t, err)
		require.Equal(t, All(), all)
	})
}

// code returns the lines of a notebook without comments and Markdown.
func code(n Notebook) []string {
	var lines []string
	for _, line := range strings.Split(Normal(n.Source), "\n") {
		if !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestParameters(t *testing.T) {
	t.Run("are_those_that_the_notebooks_use", func(t *testing.T) {
		marker := regexp.MustCompile(`(?:^|[^\w:"]):([a-z]\w*)`)
		used := map[string]bool{"logical_date": true} // for notebooks of others
		for _, notebook := range All() {
			for _, parameter := range marker.FindAllStringSubmatch(strings.Join(code(notebook), "\n"), -1) {
				require.Contains(t, Parameters, parameter[1], notebook.Name)
				used[parameter[1]] = true
			}
		}
		require.Len(t, used, len(Parameters))
	})
}

func TestTables(t *testing.T) {
	t.Run("have_a_comment_for_each_column", func(t *testing.T) {
		create := regexp.MustCompile(`^CREATE (TABLE|VIEW) IF NOT EXISTS (\S+) \($`)
		tables, created := 0, 0
		for _, notebook := range All() {
			created += strings.Count(notebook.Source, "\nCREATE TABLE ") + strings.Count(notebook.Source, "\nCREATE VIEW ")
			inside := ""
			for _, line := range code(notebook) {
				if found := create.FindStringSubmatch(line); found != nil {
					inside = found[2]
					tables++
				} else if strings.HasPrefix(line, ")") {
					inside = ""
				} else if inside != "" {
					require.Regexp(t, ` COMMENT '.+',?$`, line, inside)
				}
			}
		}
		require.Equal(t, created, tables, "a table or view that is created in another form")
	})

	t.Run("are_known_with_their_columns", func(t *testing.T) {
		found, created, columns := map[string]Table{}, 0, 0
		for _, notebook := range All() {
			created += strings.Count(notebook.Source, "\nCREATE TABLE ") + strings.Count(notebook.Source, "\nCREATE VIEW ")
			for _, line := range code(notebook) {
				if regexp.MustCompile(`^  \S+ .*COMMENT '.+',?$`).MatchString(line) {
					columns++
				}
			}
			for _, table := range notebook.Tables() {
				require.NotContains(t, found, table.Name)
				found[table.Name] = table
				columns -= len(table.Columns)
			}
		}
		require.Len(t, found, created)
		require.Zero(t, columns, "each line of a column was found")
		for _, name := range append([]string{"raw", "pin_by_date", "user_by_date"}, Answers...) {
			require.Contains(t, found, name)
			require.False(t, found[name].View)
		}
		require.Equal(t, []string{"ind", "user_name", "age", "date_joined", "logical_date"}, found["user"].Columns)
		require.True(t, found["user"].View)
		require.Equal(t, []string{"country", "category", "category_count"}, found["most_popular_category_by_country"].Columns)
	})
}
