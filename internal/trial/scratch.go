package trial

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/notebooks"
)

// scratch creates a schema that has a view of each table of the real one, but for those that the
// notebook creates. The notebook reads the real tables through the views, and no statement can write
// through them. drop removes the schema; it is nil if there is none.
func (t Trial) scratch(ctx context.Context, notebook notebooks.Notebook, name string) (where *answers.Warehouse, drop func(context.Context) error, err error) {
	own := *t.Warehouse
	own.Schema = name
	there, err := t.Warehouse.Query(ctx, "SHOW TABLES FROM "+t.Warehouse.Name(""))
	if err != nil {
		return nil, nil, fmt.Errorf("tables of schema %s: %w", t.Warehouse.Schema, err)
	}
	// Without IF NOT EXISTS: a schema that is there already is nobody's scratch, and is not dropped.
	if _, err := own.Query(ctx, "CREATE SCHEMA "+own.Name("")); err != nil {
		return nil, nil, fmt.Errorf("create the schema of the trial, %s: %w", name, err)
	}
	drop = func(ctx context.Context) error {
		if _, err := own.Query(ctx, "DROP SCHEMA "+own.Name("")+" CASCADE"); err != nil {
			return fmt.Errorf("the schema %s is left: drop it (%w)", name, err)
		}
		return nil
	}
	outputs := created(notebook.Source)
	for _, row := range there {
		table, temporary := tableOf(row)
		if temporary || slices.Contains(outputs, strings.ToLower(table)) {
			continue
		}
		if _, err := own.Query(ctx, "CREATE VIEW "+own.Name(table)+" AS SELECT * FROM "+t.Warehouse.Name(table)); err != nil {
			return nil, drop, fmt.Errorf("view of %s in the schema of the trial: %w", table, err)
		}
	}
	return &own, drop, nil
}

// tableOf returns the name in a row of SHOW TABLES: schema, name and whether it is temporary in
// Databricks, the name alone in the embedded workspace.
func tableOf(row []string) (name string, temporary bool) {
	switch {
	case len(row) >= 3:
		return row[1], row[2] == "true"
	case len(row) == 1:
		return row[0], false
	}
	return "", true
}

// ErrNotDry is the error of a notebook that cannot be tried dry.
var ErrNotDry = errors.New("the notebook cannot be tried dry")

var (
	// comments matches lines that are comments. What comes after a statement is left: it may look
	// like a comment and lie in a text.
	comments  = regexp.MustCompile(`(?m)^\s*--.*$`)
	creations = regexp.MustCompile("(?i)\\bCREATE\\s+(?:OR\\s+REPLACE\\s+)?(?:TABLE|VIEW|MATERIALIZED\\s+VIEW)\\s+(?:IF\\s+NOT\\s+EXISTS\\s+)?`?([A-Za-z_][A-Za-z0-9_]*)`?")
	// magic matches a cell in another language, or that runs something else: only Markdown is harmless.
	magic = regexp.MustCompile(`(?m)^--\s*MAGIC\s+%(\w+)`)
	uses  = regexp.MustCompile(`(?i)\bUSE\b[^;]*`)
	// unbounded matches statements that could write anywhere.
	unbounded = regexp.MustCompile(`(?i)\b(?:EXECUTE\s+IMMEDIATE|SET\s+(?:CATALOG|SCHEMA|DATABASE)|GRANT|REVOKE|CALL)\b`)
	// foreign matches a statement that writes something with a qualified or computed name, or a path.
	foreign = regexp.MustCompile("(?i)\\b(?:INTO|TABLE|VIEW|OVERWRITE|SCHEMA|UPDATE|DELETE\\s+FROM|FUNCTION|VOLUME|DIRECTORY)\\s+(?:IF\\s+(?:NOT\\s+)?EXISTS\\s+)?(?:[`\\w]+\\s*\\.\\s*[`\\w]|IDENTIFIER\\b|'|delta\\s*\\.)")
)

// created returns the names of the tables and views that a notebook creates, in lower case, each
// once.
func created(source string) []string {
	var names []string
	for _, match := range creations.FindAllStringSubmatch(comments.ReplaceAllString(source, ""), -1) {
		if name := strings.ToLower(match[1]); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// checkDry returns an error for a notebook that could write outside the schema that it is given.
func checkDry(notebook notebooks.Notebook, schema string) error {
	refuse := func(why string) error {
		return fmt.Errorf("%w: %s could write outside the schema of the trial: %s", ErrNotDry, notebook.Name, why)
	}
	for _, cell := range magic.FindAllStringSubmatch(notebook.Source, -1) {
		if cell[1] != "md" {
			return refuse("it has a cell of %" + cell[1])
		}
	}
	source := comments.ReplaceAllString(notebook.Source, "")
	all := uses.FindAllString(source, -1)
	if len(all) == 0 {
		return refuse("it has no `USE … :schema`")
	}
	for _, use := range all {
		if !strings.Contains(use, ":schema") {
			return refuse("`" + strings.TrimSpace(use) + "` does not use :schema")
		}
		source = strings.Replace(source, use, "", 1)
	}
	if found := unbounded.FindString(source); found != "" {
		return refuse("`" + strings.Join(strings.Fields(found), " ") + "` reaches beyond it")
	}
	if found := foreign.FindString(source); found != "" {
		return refuse("`" + strings.Join(strings.Fields(found), " ") + "…` names what is not in :schema")
	}
	parts := strings.Split(schema, ".")
	if last := parts[len(parts)-1]; regexp.MustCompile("(?i)(^|[^\\w.])`?" + regexp.QuoteMeta(last) + "`?\\s*\\.").MatchString(source) {
		return refuse("it names the schema " + last)
	}
	return nil
}

// count counts the rows of what the notebook creates, and the reasons of quarantine.
func count(ctx context.Context, where *answers.Warehouse, in Input, result *Result) error {
	for _, table := range created(in.Notebook.Source) {
		rows, err := countRows(ctx, where, table, in)
		if err != nil {
			return err
		}
		result.Tables = append(result.Tables, run.TableRows{Table: table, Rows: rows})
		if !strings.HasSuffix(table, "_quarantine") {
			continue
		}
		filter := ""
		if !in.Dry {
			filter = ofDate(in)
		}
		reasons, err := where.Query(ctx, "SELECT reason, count(*) AS n FROM "+where.Name(table)+filter+" GROUP BY reason ORDER BY n DESC, reason")
		if err != nil {
			return fmt.Errorf("reasons in %s: %w", table, err)
		}
		for _, row := range reasons {
			if len(row) != 2 {
				return fmt.Errorf("reasons in %s: got %v", table, row)
			}
			n, err := strconv.ParseInt(row[1], 10, 64)
			if err != nil {
				return fmt.Errorf("reasons in %s: %w", table, err)
			}
			result.Rejected = append(result.Rejected, Rejected{Table: table, Reason: row[0], Records: n})
		}
	}
	return nil
}

func ofDate(in Input) string { return fmt.Sprintf(" WHERE logical_date = DATE'%s'", in.Date) }

// dated matches the definition of a column logical_date, or a table that is made of one.
var dated = regexp.MustCompile(`(?i)\blogical_date\b`)

// countRows counts the rows of a table: all if the schema is that of the trial, else those of the
// date if the notebook works on dates.
func countRows(ctx context.Context, where *answers.Warehouse, table string, in Input) (int64, error) {
	filter := ""
	if !in.Dry && dated.MatchString(comments.ReplaceAllString(in.Notebook.Source, "")) {
		filter = ofDate(in)
	}
	rows, err := where.Query(ctx, "SELECT count(*) FROM "+where.Name(table)+filter)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", table, err)
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return 0, fmt.Errorf("count %s: got %v", table, rows)
	}
	return strconv.ParseInt(rows[0][0], 10, 64)
}
