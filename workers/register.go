package main

import (
	"context"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/observe"
	"github.com/pinflow/pinflow/workflows"
	"github.com/pinflow/pinflow/workflows/operators"
)

// register registers all workflows and activities, with clients of the systems in the settings. The
// systems need not be running: an activity that cannot reach one is retried.
func register(ctx context.Context, w worker.Worker, temporal client.Client, settings config.Config, runs *observe.Runs) (closeClients func(), err error) {
	objects, err := s3.New(ctx, settings)
	if err != nil {
		return nil, &settingsError{err}
	}
	jobs, err := databricks.NewJobs()
	if err != nil {
		return nil, &settingsError{err}
	}
	if _, err := activities.ParseCompute(settings.Compute); err != nil {
		return nil, &settingsError{err}
	}
	warehouse, err := newWarehouse(settings)
	if err != nil {
		return nil, err
	}
	counting := &activities.Counting{Topics: settings.Topics()}
	if warehouse != nil {
		counting.Warehouse = warehouse
	}
	entries := &ledger.Ledger{Objects: objects}
	connection, err := kafka.NewConnection(ctx, settings, "pinflow-worker")
	if err != nil {
		return nil, &settingsError{err}
	}
	reader := kafka.NewReader(connection)
	workflows.Register(w, catalogOf(settings), operators.Default)
	activities.Register(w,
		&landing.Activities{
			Kafka: reader, Objects: objects, Topics: settings.Topics(), Group: settings.Deployment.ConsumerGroup(), WarnOfGaps: settings.LostRecords == "warn",
		},
		&activities.Notebooks{
			Jobs: jobs, Deployment: settings.Deployment, Schema: settings.Schema, RawPath: settings.RawPath(), Topics: settings.Topics(),
			Folder: settings.Notebooks, Compute: settings.Compute, InvalidFollowers: settings.InvalidFollowers, Polls: activities.NewPolls(),
		},
		counting, &activities.Ledger{Ledger: entries, Ended: runs.Ended},
	)
	w.RegisterActivity(&activities.Pools{Client: temporal, Deployment: settings.Deployment})
	// Also without the setting: a run that was started with it writes its report.
	w.RegisterActivity(&activities.Reports{Objects: objects, Warehouse: warehouse, Topics: settings.Topics()})
	w.RegisterActivity(&activities.Runs{Client: temporal})
	w.RegisterActivity(&activities.Past{Client: temporal, Ledger: entries})
	return reader.Close, nil
}

// newWarehouse returns the SQL warehouse of the settings, or nil if there is none: then nothing is
// counted, and no report is written.
func newWarehouse(settings config.Config) (*answers.Warehouse, error) {
	if settings.Warehouse == "" {
		return nil, nil
	}
	statements, err := databricks.NewStatements()
	if err != nil {
		return nil, &settingsError{err}
	}
	return &answers.Warehouse{Statements: statements, ID: settings.Warehouse, Schema: settings.Schema}, nil
}

// catalogOf returns the DAGs that the worker runs, as the settings ask for them.
func catalogOf(settings config.Config) dag.Catalog {
	catalog := workflows.DefaultCatalog
	catalog.Reports = settings.Reports.On()
	return catalog
}
