// Package schema compares the tables of a schema with those that the notebooks create. A run creates
// tables that do not exist and never alters one, so that a schema of an older build, or of another
// user id, has to be noticed before a run fails on it or mixes two pipelines.
package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/notebooks"
)

// atOnce is how many statements run at the same time: as many as the smallest warehouse takes
// without a queue (https://docs.databricks.com/aws/en/compute/sql-warehouse/warehouse-behavior).
const atOnce = 10

// Expected is what a schema should have.
type Expected struct {
	Notebooks []notebooks.Notebook
	Topics    run.Topics
}

// Check returns an error if tables of the schema have other columns than the notebooks create, or
// records of another user id's topics. It says what to do. A table that does not exist is right: the
// next run creates it. Other errors are those of the warehouse.
func Check(ctx context.Context, w *answers.Warehouse, want Expected) error {
	var tables []notebooks.Table
	for _, notebook := range want.Notebooks {
		tables = append(tables, notebook.Tables()...)
	}
	wrong := make([]finding, len(tables)) // in the order of the tables, whichever responds first
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, table := range tables {
		group.Go(func() (err error) {
			wrong[i], err = check(ctx, w, table, want.Topics)
			return err
		})
	}
	err := group.Wait()
	if wrong := advice(w, wrong); wrong != nil {
		return wrong // a view of a table with other columns cannot be read: that is known by now
	}
	return err
}

// finding is what is wrong with a table; its texts are empty if nothing is.
type finding struct {
	columns string   // how the columns differ
	drop    string   // the statement that drops the table
	topic   string   // the topic of another user id
	want    []string // the topics of this one
	table   string
}

// check compares one table.
func check(
	ctx context.Context, w *answers.Warehouse, table notebooks.Table, topics run.Topics,
) (finding, error) {
	columns, err := w.Columns(ctx, table.Name)
	if errors.Is(err, answers.ErrMissing) {
		return finding{}, nil
	}
	if err != nil {
		return finding{}, err
	}
	f := finding{table: table.Name}
	if !slices.EqualFunc(columns, table.Columns, strings.EqualFold) {
		f.columns, f.drop = difference(table, columns), "DROP TABLE "+w.Name(table.Name)
		if table.View {
			f.drop = "DROP VIEW " + w.Name(table.Name)
		}
		return f, nil
	}
	kind, byDate := strings.CutSuffix(table.Name, "_by_date")
	if !byDate || !slices.Contains(table.Columns, "topic") {
		return f, nil
	}
	f.want = topics.Of(kind)
	others := fmt.Sprintf("SELECT topic FROM %s WHERE topic NOT IN %s LIMIT 1", w.Name(table.Name), topics.In(kind))
	rows, err := w.Query(ctx, others)
	if err == nil && len(rows) > 0 {
		f.topic = rows[0][0]
	}
	return f, err
}

// difference returns how the columns of a table differ from those that the notebook creates.
func difference(table notebooks.Table, columns []string) string {
	without := func(all, others []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(name string) bool {
			return slices.ContainsFunc(others, func(other string) bool { return strings.EqualFold(name, other) })
		})
	}
	var differs []string
	if lacks := without(table.Columns, columns); len(lacks) > 0 {
		differs = append(differs, "lacks "+strings.Join(lacks, ", "))
	}
	if more := without(columns, table.Columns); len(more) > 0 {
		differs = append(differs, "also has "+strings.Join(more, ", "))
	}
	if len(differs) == 0 {
		differs = []string{"has them in another order"}
	}
	return table.Name + " " + strings.Join(differs, ", and ")
}

// advice returns the error of what is wrong, with what to do; nil if all is right.
func advice(w *answers.Warehouse, all []finding) error {
	var columns, drops []string
	for _, f := range all {
		if f.topic != "" {
			return fmt.Errorf("%s of schema %s has records of topic %s, and here PINFLOW_USER_ID and PINFLOW_POSTS_TOPIC make it %s: "+
				"a schema holds one user id, because a run replaces whole dates. "+
				"Set another PINFLOW_SCHEMA and run `starter setup`, or set these to those of the schema",
				f.table, w.Schema, f.topic, strings.Join(f.want, " or "))
		}
		if f.columns != "" {
			columns, drops = append(columns, f.columns), append(drops, f.drop)
		}
	}
	if len(columns) == 0 {
		return nil
	}
	return fmt.Errorf("schema %s has columns of another build, and a run alters no table: %s. "+
		"Drop what differs, and the next runs create it: %s. Records stay in the bucket: "+
		"run the dates again with `starter backfill --from <first date> --to <last date> --reprocess all`",
		w.Schema, strings.Join(columns, "; "), strings.Join(drops, "; "))
}
