// Package databricks is Pinflow's way to a Databricks workspace: the SDK's client, set up, and the part of its Jobs API that
// the activities need. Host and credentials are read by the SDK itself (DATABRICKS_HOST, DATABRICKS_TOKEN, or any of its other ways).
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
	// retrySeconds is how long a client repeats a call that met 429, 503 or a lost connection. The SDK's default of five
	// minutes leaves an operator before a silent terminal.
	retrySeconds = 10
	// callSeconds limits one request in which nothing moves.
	callSeconds = 30
	// callsPerSecond keeps one client within what the service allows: 100 jobs/runs/get a second and workspace (Databricks, "Resource
	// limits", API rate limits). The SDK's default of 15 is one queue for all tasks: some that poll their runs would hold up the start of
	// the next by a second, and a backfill the daily run. What is too much all the same is answered with 429, and repeated.
	callsPerSecond = 100
)

// New makes a client of the workspace for people's commands: it repeats a call that meets a passing fault for up to 10 seconds.
// It fails if the SDK finds no host or credentials. It does not connect yet.
func New() (*databricks.WorkspaceClient, error) {
	workspace, err := databricks.NewWorkspaceClient((*databricks.Config)(settings(retrySeconds)))
	return workspace, explain(err)
}

// NewStatements makes the client of New for the SQL Statement Execution API alone. The whole client has all of the service's APIs, and is
// 9 MB of program: a worker that uses three of them holds 5 MB less in memory without it.
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

// The user agent starts with pinflow, by which a workspace's audit log tells Pinflow's calls. The SDK keeps it per process.
func init() { useragent.WithProduct("pinflow", "0.0.0") }
