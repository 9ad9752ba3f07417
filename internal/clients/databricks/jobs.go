package databricks

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/workspace"
)

// jobsRetrySeconds ends the SDK's own repetition of a call before its first pause, which is longer. The activity repeats instead:
// it heartbeats meanwhile, keeps Retry-After, which the SDK does not, and is not held up where a worker is to stop. The SDK
// takes 0 for its default of five minutes.
const jobsRetrySeconds = 1

// Jobs is the Jobs API of a workspace, one request a call (and a page). Its errors are the SDK's.
type Jobs struct {
	api     jobs.JobsInterface
	sources workspace.WorkspaceInterface
}

// NewJobs makes a client for the activities. Like New, it fails if the SDK finds no host or credentials, and does not connect yet.
func NewJobs() (*Jobs, error) {
	api, err := client.New(settings(jobsRetrySeconds))
	if err != nil {
		return nil, explain(err)
	}
	return &Jobs{api: jobs.NewJobs(api), sources: workspace.NewWorkspace(api)}, nil
}

// Submit starts a one-time run, or finds the one with the same idempotency token, and returns its id.
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

// GetRunOutput returns what a task's run has left: its result, or its error and trace.
func (j *Jobs) GetRunOutput(ctx context.Context, runID int64) (*jobs.RunOutput, error) {
	return j.api.GetRunOutput(ctx, jobs.GetRunOutputRequest{RunId: runID})
}

// CancelRun asks for a run to end and returns at once.
func (j *Jobs) CancelRun(ctx context.Context, runID int64) error {
	_, err := j.api.CancelRun(ctx, jobs.CancelRun{RunId: runID})
	return err
}

// ActiveRuns returns the one-time runs of the workspace that have not ended, all pages.
func (j *Jobs) ActiveRuns(ctx context.Context) ([]jobs.BaseRun, error) {
	return j.api.ListRunsAll(ctx, jobs.ListRunsRequest{ActiveOnly: true, RunType: jobs.RunTypeSubmitRun})
}

// Source returns a notebook's source as the workspace has it.
func (j *Jobs) Source(ctx context.Context, path string) (string, error) {
	exported, err := j.sources.Export(ctx, workspace.ExportRequest{Path: path, Format: workspace.ExportFormatSource})
	if err != nil {
		return "", err
	}
	source, err := base64.StdEncoding.DecodeString(exported.Content)
	if err != nil {
		return "", fmt.Errorf("the workspace's answer is not base64: %w", err)
	}
	return string(source), nil
}
