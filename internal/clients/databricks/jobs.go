package databricks

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/listing"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/workspace"
)

// jobsRetrySeconds disables retries in the SDK: its first pause is longer. The activities retry
// instead, because they heartbeat meanwhile, respect Retry-After, and end when the worker stops.
// For the SDK, 0 means its default of five minutes.
const jobsRetrySeconds = 1

// Jobs is the Jobs API of a workspace, with one request for each call or page. Its errors are those
// of the SDK.
type Jobs struct {
	api     jobs.JobsInterface
	sources workspace.WorkspaceInterface
}

// NewJobs returns a client for the activities. Its error is that of New, and it does not connect
// either.
func NewJobs() (*Jobs, error) {
	api, err := client.New(settings(jobsRetrySeconds))
	if err != nil {
		return nil, explain(err)
	}
	return &Jobs{api: jobs.NewJobs(api), sources: workspace.NewWorkspace(api)}, nil
}

// Submit starts a one-time run and returns its id; with a known idempotency token, that of the
// existing run.
func (j *Jobs) Submit(ctx context.Context, run jobs.SubmitRun) (int64, error) {
	submitted, err := j.api.Submit(ctx, run)
	if err != nil {
		return 0, err
	}
	return submitted.Response.RunId, nil
}

// GetRun returns a run with its tasks and states.
func (j *Jobs) GetRun(ctx context.Context, runID int64) (*jobs.Run, error) {
	return j.api.GetRun(ctx, jobs.GetRunRequest{RunId: runID})
}

// GetRunOutput returns the output of a task: its result, or its error and trace.
func (j *Jobs) GetRunOutput(ctx context.Context, runID int64) (*jobs.RunOutput, error) {
	return j.api.GetRunOutput(ctx, jobs.GetRunOutputRequest{RunId: runID})
}

// CancelRun requests the end of a run and returns at once.
func (j *Jobs) CancelRun(ctx context.Context, runID int64) error {
	_, err := j.api.CancelRun(ctx, jobs.CancelRun{RunId: runID})
	return err
}

// ActiveRuns returns the one-time runs of the workspace that have not ended. The iterator makes one
// request for each page, of the size of Databricks' default, under the context of its method.
func (j *Jobs) ActiveRuns(ctx context.Context) listing.Iterator[jobs.BaseRun] {
	return j.api.ListRuns(ctx, jobs.ListRunsRequest{ActiveOnly: true, RunType: jobs.RunTypeSubmitRun})
}

// Source returns the source of a notebook in the workspace.
func (j *Jobs) Source(ctx context.Context, path string) (string, error) {
	exported, err := j.sources.Export(ctx, workspace.ExportRequest{Path: path, Format: workspace.ExportFormatSource})
	if err != nil {
		return "", err
	}
	source, err := base64.StdEncoding.DecodeString(exported.Content)
	if err != nil {
		return "", fmt.Errorf("the response of the workspace is not base64: %w", err)
	}
	return string(source), nil
}
