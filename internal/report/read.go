package report

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
)

// Scope is what a report is about.
type Scope struct {
	DAG        string         `json:"dag"`
	Deployment run.Deployment `json:"deployment"`
	// Makers holds the tasks that rebuild the tables, Cleaned the kinds of record that are cleaned.
	Makers  []Maker  `json:"makers"`
	Cleaned []string `json:"cleaned,omitempty"`
}

// ScopeOf returns the scope of all answers of a DAG.
func ScopeOf(d dag.Definition, deployment run.Deployment) Scope {
	s := Scope{DAG: d.Name, Deployment: deployment, Cleaned: d.DAG.Cleaned()}
	for _, task := range d.DAG {
		if tables := task.Do.Effects().Rebuilds; len(tables) > 0 {
			s.Makers = append(s.Makers, Maker{Task: task.ID, Tables: slices.Clone(tables)})
		}
	}
	return s
}

// Only returns the scope of one table.
func (s Scope) Only(table string) Scope {
	var makers []Maker
	for _, maker := range s.Makers {
		if slices.Contains(maker.Tables, table) {
			makers = append(makers, Maker{Task: maker.Task, Tables: []string{table}})
		}
	}
	s.Makers = makers
	return s
}

// Tables returns the names of the tables.
func (s Scope) Tables() []string {
	var all []string
	for _, maker := range s.Makers {
		all = append(all, maker.Tables...)
	}
	return all
}

// Source is what a report is read from.
type Source struct {
	Warehouse *answers.Warehouse
	// Topics has the names of the topics.
	Topics run.Topics
	// Runs holds the runs that may have rebuilt the tables.
	Runs []run.Status
	// Now is when the report is made.
	Now time.Time
}

// Read reads the tables of a report. The error is answers.ErrMissing if no run has created them yet.
func Read(ctx context.Context, from Source, scope Scope) (Report, error) {
	r := Report{
		DAG: scope.DAG, Deployment: scope.Deployment, Schema: from.Warehouse.Schema, Written: from.Now, Origins: Origins(from.Runs, scope.Makers),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		r.Answers, err = from.Warehouse.FetchAll(ctx, answers.Tables(scope.Tables()))
		return err
	})
	group.Go(func() (err error) {
		r.Quarantine, err = from.Warehouse.Shares(ctx, scope.Cleaned, from.Topics)
		return err
	})
	err := group.Wait()
	return r, err
}
