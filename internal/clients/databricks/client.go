// Package databricks is Pinflow's client of a Databricks workspace: the configured client of the
// SDK, and the part of the Jobs API that the activities use. The SDK itself reads host and
// credentials, from DATABRICKS_HOST and DATABRICKS_TOKEN or its other sources.
package databricks

import (
	"fmt"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/databricks/databricks-sdk-go/useragent"
)

const (
	// retrySeconds is how long a client retries a call after 429, 503 or a lost connection. With
	// the SDK's default of five minutes a command would hang.
	retrySeconds = 10
	// callSeconds limits one request without progress.
	callSeconds = 30
	// callsPerSecond is the limit of the service: 100 jobs/runs/get per second and workspace
	// (Databricks, "Resource limits", API rate limits). With the SDK's default of 15, tasks that
	// poll their runs would delay the start of others. Calls beyond the limit get 429 and are
	// retried.
	callsPerSecond = 100
)

// New returns a client of the workspace for commands: it retries a call for up to 10 seconds. The
// error is that the SDK found no host or credentials. New does not connect.
func New() (*databricks.WorkspaceClient, error) {
	workspace, err := databricks.NewWorkspaceClient((*databricks.Config)(settings(retrySeconds)))
	return workspace, explain(err)
}

// NewStatements returns a client like New for the SQL Statement Execution API alone. The client of
// all APIs adds 9 MB to a program; without it a worker needs 5 MB less memory.
func NewStatements() (sql.StatementExecutionInterface, error) {
	api, err := client.New(settings(retrySeconds))
	if err != nil {
		return nil, explain(err)
	}
	return sql.NewStatementExecution(api), nil
}

func settings(retrySeconds int) *config.Config {
	return &config.Config{
		RetryTimeoutSeconds:  retrySeconds,
		HTTPTimeoutSeconds:   callSeconds,
		RateLimitPerSecond:   callsPerSecond,
		HostMetadataResolver: askOnce(fetchHostMetadata),
	}
}

func explain(err error) error {
	if err != nil {
		return fmt.Errorf("databricks: set DATABRICKS_HOST and DATABRICKS_TOKEN: %w", err)
	}
	return nil
}

// The user agent starts with pinflow, so that the workspace's audit log identifies the calls. The
// SDK has one for the process.
func init() { useragent.WithProduct("pinflow", "0.0.0") }
