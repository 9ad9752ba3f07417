// Package systems is how commands reach the systems that the settings name. Each is reached when a
// command first needs it, so that no command depends on a system that it does not use.
package systems

import (
	"context"
	"net/http"
	"time"

	"github.com/databricks/databricks-sdk-go/listing"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dashboard"
	"github.com/pinflow/pinflow/internal/notebookpush"
	"github.com/pinflow/pinflow/internal/trial"
	"github.com/pinflow/pinflow/starter/imports"
)

// Systems connects to the systems. The callers of Temporal and Records close the connection.
type Systems struct {
	Temporal  func(context.Context) (*temporal.Connection, error)
	Workspace func() (*Workspace, error)
	Topics    func(context.Context, config.Config) (Topics, error)
	// Records reads the records of Kafka; the caller closes it.
	Records func(context.Context, config.Config) (Records, error)
	Bucket  func(context.Context, config.Config) (Bucket, error)
	// Source returns the objects of another pipeline at an address such as s3://bucket/folder.
	Source func(ctx context.Context, settings config.Config, uri string) (imports.Source, error)
	HTTP   *http.Client
}

// Workspace is a Databricks workspace.
type Workspace struct {
	Host       string
	Statements answers.Statements
	Notebooks  notebookpush.Workspace
	Dashboards dashboard.Lakeview
	Tree       dashboard.Tree
	// TrialTree and TrialRuns are for trials of notebooks.
	TrialTree trial.Tree
	TrialRuns trial.Runs
	Runs      JobRuns
	// User returns the name of the authenticated user.
	User func(context.Context) (string, error)
}

// Warehouse returns the SQL warehouse of the settings.
func (w *Workspace) Warehouse(settings config.Config) *answers.Warehouse {
	return &answers.Warehouse{Statements: w.Statements, ID: settings.Warehouse, Schema: settings.Schema}
}

// Dashboard returns the dashboard of a DAG.
func (w *Workspace) Dashboard(settings config.Config, definition dag.Definition) dashboard.Target {
	return dashboard.Target{
		Lakeview: w.Dashboards, Tree: w.Tree, Folder: settings.Notebooks, DAG: definition.Name, Tables: answers.Tables(definition.DAG.Tables()),
		Warehouse: w.Warehouse(settings),
	}
}

// Trial returns how notebooks are tried, without a clock and a log.
func (w *Workspace) Trial(settings config.Config) (trial.Trial, error) {
	compute, err := activities.ParseCompute(settings.Compute)
	return trial.Trial{
		Tree: w.TrialTree, Runs: w.TrialRuns, Warehouse: w.Warehouse(settings), Folder: settings.Notebooks, Place: compute.Place, Name: string(settings.Deployment),
	}, err
}

// JobRuns is what commands need of the Jobs API.
type JobRuns interface {
	GetRun(ctx context.Context, request jobs.GetRunRequest) (*jobs.Run, error)
	GetRunOutput(ctx context.Context, request jobs.GetRunOutputRequest) (*jobs.RunOutput, error)
	ListRuns(ctx context.Context, request jobs.ListRunsRequest) listing.Iterator[jobs.BaseRun]
	// CancelRun requests the end of a run. Its result, with which one could wait, is not used.
	CancelRun(ctx context.Context, request jobs.CancelRun) (*jobs.WaitGetRunJobTerminatedOrSkipped[struct{}], error)
}

// Topics is what commands need of Kafka.
type Topics interface {
	CompareTopics(context.Context, ...kafka.Topic) (missing []string, different []kafka.Difference, err error)
	CreateTopics(context.Context, ...kafka.Topic) ([]string, error)
	ChangeTopics(context.Context, ...kafka.Difference) error
	Permissions(ctx context.Context, topics []string, group string) (kafka.Permissions, error)
	Inspect(context.Context) (kafka.Listener, error)
	ListTopics(context.Context) ([]kafka.TopicInfo, error)
}

// Records reads the records of Kafka, as landing does.
type Records interface {
	landing.Kafka
	Close()
}

// Bucket is what commands need of the bucket.
type Bucket interface {
	bucket.Objects
	EnsureBucket(context.Context) (created bool, err error)
}

// healthTimeout limits a health check.
const healthTimeout = 5 * time.Second

// Real returns the systems that the settings and the environment name.
func Real() Systems {
	return Systems{
		Temporal: func(ctx context.Context) (*temporal.Connection, error) {
			return temporal.Dial(ctx, temporal.Options{})
		},
		Workspace: workspace,
		Topics: func(ctx context.Context, settings config.Config) (Topics, error) {
			connection, err := kafka.NewConnection(ctx, settings, "starter")
			return kafka.NewAdmin(connection), err
		},
		Records: func(ctx context.Context, settings config.Config) (Records, error) {
			connection, err := kafka.NewConnection(ctx, settings, "starter")
			return kafka.NewReader(connection), err
		},
		Bucket: func(ctx context.Context, settings config.Config) (Bucket, error) {
			return s3.New(ctx, settings)
		},
		Source: func(ctx context.Context, settings config.Config, uri string) (imports.Source, error) {
			return s3.NewSource(ctx, settings, uri)
		},
		HTTP: &http.Client{Timeout: healthTimeout},
	}
}

func workspace() (*Workspace, error) {
	client, err := databricks.New()
	if err != nil {
		return nil, databricks.Classify(err)
	}
	return &Workspace{
		Host:       client.Config.Host,
		Statements: client.StatementExecution,
		Notebooks:  client.Workspace,
		Dashboards: client.Lakeview,
		Tree:       client.Workspace,
		TrialTree:  client.Workspace,
		TrialRuns:  client.Jobs,
		Runs:       client.Jobs,
		User: func(ctx context.Context) (string, error) {
			me, err := client.CurrentUser.Me(ctx, iam.MeRequest{})
			if err != nil {
				return "", databricks.Classify(err)
			}
			return me.UserName, nil
		},
	}, nil
}
