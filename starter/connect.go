package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/databricks/databricks-sdk-go/apierr"
	databrickssettings "github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/iam"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/answers"
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
	bucket    func(context.Context, config.Config) (bucket, error)
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
type bucket interface {
	activities.Objects
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
				return nil, &unreachableError{"Databricks", "set DATABRICKS_HOST and DATABRICKS_TOKEN", err}
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
		bucket: func(ctx context.Context, settings config.Config) (bucket, error) {
			return s3.New(ctx, settings)
		},
		http: &http.Client{Timeout: healthTimeout},
	}
}

// temporal connects to Temporal. The caller closes the connection.
func (a *app) temporal(ctx context.Context) (*temporal.Connection, error) {
	return a.connect.temporal(ctx)
}

// warehouse is the SQL warehouse of the settings.
func (a *app) warehouse(ws *workspace) *answers.Warehouse {
	return &answers.Warehouse{Statements: ws.statements, ID: a.settings.Warehouse, Schema: a.settings.Schema}
}

// databricksError judges an error of the workspace: unreachable, or as it is.
func (w *workspace) databricksError(err error) error {
	var answer *apierr.APIError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return &unreachableError{"Databricks at " + w.host, "it refuses who is asking: check DATABRICKS_TOKEN and the rights of its user", err}
	case errors.As(err, &answer) && answer.StatusCode < http.StatusInternalServerError && answer.StatusCode != http.StatusTooManyRequests:
		return err
	case errors.Is(err, databrickssettings.ErrCannotConfigureDefault):
		return &unreachableError{"Databricks", "set DATABRICKS_HOST and DATABRICKS_TOKEN", err}
	case answer != nil || lostConnection(err):
		return &unreachableError{"Databricks at " + w.host, "is the stack up? start it with `make stack`, or set DATABRICKS_HOST", err}
	}
	return err
}

// bucketError judges an error of S3: unreachable, or as it is.
func (a *app) bucketError(err error) error {
	var answer *awshttp.ResponseError
	system := "S3, bucket " + a.settings.Bucket
	if endpoint := os.Getenv("AWS_ENDPOINT_URL_S3"); endpoint != "" {
		system += " at " + endpoint
	}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answer) && (answer.HTTPStatusCode() == http.StatusForbidden || answer.HTTPStatusCode() == http.StatusUnauthorized):
		return &unreachableError{system, "it refuses who is asking: check the AWS credentials, and their rights to the bucket", err}
	case errors.As(err, &answer) && answer.HTTPStatusCode() > 0 && answer.HTTPStatusCode() < http.StatusInternalServerError:
		return err
	case awsSettings(err):
		return &unreachableError{system, "set AWS_REGION, and AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY or another way to credentials", err}
	case answer != nil || lostConnection(err):
		return &unreachableError{system, "is the stack up? start it with `make stack`, or set AWS_ENDPOINT_URL_S3 (only for another server than AWS)", err}
	}
	return err
}

// topicsError judges an error of Kafka: unreachable, or as it is.
func (a *app) topicsError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kafka.ErrUnreachable), kafka.Classify(err) == kafka.FaultTransient:
		return &unreachableError{"Kafka at " + join(a.settings.Brokers), "is the stack up? start it with `make stack`, or set PINFLOW_KAFKA_BROKERS", err}
	case kafka.Classify(err) == kafka.FaultAuthentication, kafka.Classify(err) == kafka.FaultAuthorization:
		return &unreachableError{"Kafka at " + join(a.settings.Brokers), "it refuses who is asking: check its access rules", err}
	}
	return err
}

// lostConnection says that no answer came at all.
func lostConnection(err error) bool {
	var network net.Error
	var request *url.Error
	return errors.As(err, &network) || errors.As(err, &request) || errors.Is(err, context.DeadlineExceeded)
}

// awsSettings says that the AWS SDK found no region, credentials or address to use. It has no error types for them.
func awsSettings(err error) bool {
	for _, step := range []string{"get identity: ", "resolve auth scheme: ", "failed to resolve service endpoint"} {
		if strings.Contains(err.Error(), step) {
			return true
		}
	}
	return false
}

func join(names []string) string { return strings.Join(names, ", ") }
