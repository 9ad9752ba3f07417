// Package history is what is known of the dates of a DAG: what the ledger recorded, what Temporal's
// visibility store has, and what running workflows answer. Each question is asked in one place. It
// changes nothing and prints nothing.
package history

import (
	"context"
	"net/url"
	"time"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/builds"
	"github.com/pinflow/pinflow/starter/systems"
)

// Reader answers questions about one DAG.
type Reader struct {
	Systems  systems.Systems
	Settings config.Config
	// DAG is the DAG that questions are about, Catalog the one that it is from.
	DAG     dag.Definition
	Catalog dag.Catalog
	// Now and After are the clock.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// Yesterday returns the latest date that is over.
func (r *Reader) Yesterday() dates.Date { return dates.Of(r.Now()).Add(-1) }

// Builds answers questions about the workers.
func (r *Reader) Builds() *builds.Reader {
	return &builds.Reader{Deployment: r.Settings.Deployment, Now: r.Now}
}

// WorkflowID returns the workflow id of a date's runs.
func (r *Reader) WorkflowID(date dates.Date) string {
	return r.Settings.Deployment.WorkflowID(r.DAG.Name, date)
}

// Command returns the command line of a subcommand about the DAG, for hints.
func (r *Reader) Command(args string) string { return r.Catalog.Command(r.DAG.Name, args) }

// UILink returns the page of a workflow in the Temporal Web UI.
func (r *Reader) UILink(conn *temporal.Connection, id, runID string) string {
	page, err := url.JoinPath(r.Settings.UIURL, "namespaces", conn.Namespace, "workflows", id, runID)
	if err != nil {
		return r.Settings.UIURL
	}
	return page
}

// bucket returns the bucket of the settings.
func (r *Reader) bucket(ctx context.Context) (systems.Bucket, error) {
	return r.Systems.Bucket(ctx, r.Settings)
}
