package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/service/iam"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/notebookpush"
)

// connectors reach the systems. Each is called when a command needs its system, so that no command depends on one that it does not use.
type connectors struct {
	temporal  func(context.Context) (*temporal.Connection, error)
	workspace func() (*workspace, error)
	topics    func(config.Config) topics
	bucket    func(context.Context, config.Config) (bucketClient, error)
	http      *http.Client
}

// workspace is a Databricks workspace.
type workspace struct {
	host       string
	statements answers.Statements
	notebooks  notebookpush.Workspace
	runs       jobRuns
	// user is the name of who is asking.
	user func(context.Context) (string, error)
}

// topics is what commands do with Kafka's topics.
type topics interface {
	CreateTopics(context.Context, ...kafka.Topic) ([]string, error)
	ListTopics(context.Context) ([]kafka.TopicInfo, error)
}

// bucket is what commands do with the bucket.
type bucketClient interface {
	bucket.Objects
	EnsureBucket(context.Context) (created bool, err error)
}

// healthTimeout limits a question for somebody's health.
const healthTimeout = 5 * time.Second

// realConnectors reach the systems that the settings name.
func realConnectors() connectors {
	return connectors{
		temporal: func(ctx context.Context) (*temporal.Connection, error) {
			return temporal.Dial(ctx, temporal.Options{})
		},
		workspace: func() (*workspace, error) {
			client, err := databricks.New()
			if err != nil {
				return nil, databricks.Classify(err)
			}
			return &workspace{
				host:       client.Config.Host,
				statements: client.StatementExecution,
				notebooks:  client.Workspace,
				runs:       client.Jobs,
				user: func(ctx context.Context) (string, error) {
					me, err := client.CurrentUser.Me(ctx, iam.MeRequest{})
					if err != nil {
						return "", err
					}
					return me.UserName, nil
				},
			}, nil
		},
		topics: func(settings config.Config) topics {
			return kafka.NewAdmin(kafka.Connection{Brokers: settings.Brokers, ClientID: "starter"})
		},
		bucket: func(ctx context.Context, settings config.Config) (bucketClient, error) {
			return s3.New(ctx, settings)
		},
		http: &http.Client{Timeout: healthTimeout},
	}
}

// warehouse returns the SQL warehouse of the settings.
func (w *workspace) warehouse(settings config.Config) *answers.Warehouse {
	return &answers.Warehouse{Statements: w.statements, ID: settings.Warehouse, Schema: settings.Schema}
}

// databricksError classifies an error of the workspace.
func (w *workspace) databricksError(err error) error { return databricks.Classify(err) }

func join(names []string) string { return strings.Join(names, ", ") }
