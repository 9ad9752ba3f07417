package runs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/pinflow/pinflow/local/workspace/api"
)

// The number of runs in a page of runs/list (Jobs API, runs/list: 20 by default, at most 25; a
// limit of 0 means the maximum).
const (
	defaultPage = 20
	maxPage     = 25
)

// runMissing is the error of the Jobs API for a run that does not exist: a 400. The SDK recognizes
// the text and returns ErrResourceDoesNotExist.
func runMissing(runID int64) *api.Error {
	return api.InvalidParameter("Run %d does not exist.", runID)
}

// runID returns the parameter with the id of a run.
func runID(q *api.Query) (int64, error) {
	id := q.Integer("run_id")
	if q.Err() != nil {
		return 0, q.Err()
	}
	if id == 0 {
		return 0, api.MissingField("run_id")
	}
	return id, nil
}

// findRun returns the run with that id, or the run of the task run with that id.
func (a *API) findRun(ctx context.Context, runID int64) (*Run, error) {
	found, err := a.store.find(ctx, runID)
	if errors.Is(err, ErrMissing) {
		return nil, runMissing(runID)
	}
	return found, err
}

// getRun returns a job run, or the run of a task.
func (a *API) getRun(r *http.Request) (any, error) {
	id, err := runID(api.NewQuery(r))
	if err != nil {
		return nil, err
	}
	found, err := a.findRun(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if t := found.task(id); t != nil {
		return a.wireTaskRun(found, t), nil
	}
	return a.wireRun(found), nil
}

// getRunOutput returns the output of the run of a task; as in the service, the id of the job run is
// an error, unless it was submitted as a single task. A SQL notebook has no dbutils.notebook.exit, so that
// notebook_output is empty, as documented. The page of the run has the last result.
func (a *API) getRunOutput(r *http.Request) (any, error) {
	id, err := runID(api.NewQuery(r))
	if err != nil {
		return nil, err
	}
	found, err := a.findRun(r.Context(), id)
	if err != nil {
		return nil, err
	}
	t := found.task(id)
	if t == nil && found.Single {
		t = found.Tasks[0]
	}
	if t == nil {
		return nil, api.InvalidParameter("Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each individual task run instead.")
	}
	metadata := a.wireTaskRun(found, t)
	output := jobs.RunOutput{Metadata: &metadata, Error: t.Error, ErrorTrace: t.Trace}
	if !t.Active() {
		output.NotebookOutput = &jobs.NotebookOutput{}
	}
	return output, nil
}

// cancelRun requests the end of a run, or of the run of a task, and returns at once. The running
// statement is interrupted; the run is TERMINATING until it has ended. A run that has ended does
// not change.
func (a *API) cancelRun(r *http.Request) (any, error) {
	var request jobs.CancelRun
	if err := api.ReadBody(r, &request); err != nil {
		return nil, err
	}
	if request.RunId == 0 {
		return nil, api.MissingField("run_id")
	}
	if _, err := a.findRun(r.Context(), request.RunId); err != nil {
		return nil, err
	}
	a.runner.cancel(request.RunId)
	return struct{}{}, nil
}

// deleteRun removes a run that has ended; an active run is an error.
func (a *API) deleteRun(r *http.Request) (any, error) {
	var request jobs.DeleteRun
	if err := api.ReadBody(r, &request); err != nil {
		return nil, err
	}
	if request.RunId == 0 {
		return nil, api.MissingField("run_id")
	}
	found, err := a.findRun(r.Context(), request.RunId)
	if err != nil {
		return nil, err
	}
	if found.ID != request.RunId {
		return nil, runMissing(request.RunId)
	}
	if found.Active() {
		return nil, &api.Error{Status: http.StatusBadRequest, Code: "INVALID_STATE", Message: fmt.Sprintf("Run %d is active. Cancel it and wait until it has ended before it is deleted.", found.ID)}
	}
	return struct{}{}, a.store.delete(r.Context(), found.ID)
}

// listRuns lists job runs, newest first. A page token names the run at the edge of the page, so
// that runs that start meanwhile do not shift the pages.
func (a *API) listRuns(r *http.Request) (any, error) {
	q := api.NewQuery(r)
	expand := q.Boolean("expand_tasks")
	filter, err := readListFilter(q)
	if err != nil {
		return nil, err
	}
	switch runType := jobs.RunType(q.Text("run_type")); runType {
	case "", jobs.RunTypeSubmitRun:
	case jobs.RunTypeJobRun, jobs.RunTypeWorkflowRun:
		return jobs.ListRunsResponse{}, nil // this workspace has no jobs, only one-time runs
	default:
		return nil, api.InvalidParameter("Invalid run_type %q: it must be JOB_RUN, WORKFLOW_RUN or SUBMIT_RUN.", runType)
	}
	runs, more, err := a.store.list(r.Context(), filter)
	if err != nil {
		return nil, err
	}
	// Behind a page that was reached backwards is the page that it was reached from.
	response := jobs.ListRunsResponse{HasMore: more || filter.after != nil}
	for _, found := range runs {
		response.Runs = append(response.Runs, a.wireBaseRun(found, expand))
	}
	if len(runs) == 0 {
		return response, nil
	}
	newest, oldest := runs[0], runs[len(runs)-1]
	if response.HasMore {
		response.NextPageToken = pageToken("before", oldest)
	}
	if filter.before != nil || (filter.after != nil && more) {
		response.PrevPageToken = pageToken("after", newest)
	}
	return response, nil
}

func readListFilter(q *api.Query) (listFilter, error) {
	filter := listFilter{
		active:    q.Boolean("active_only"),
		completed: q.Boolean("completed_only"),
		jobID:     q.Integer("job_id"),
		from:      q.Integer("start_time_from"),
		to:        q.Integer("start_time_to"),
		offset:    int(q.Integer("offset")),
		limit:     int(q.Integer("limit")),
	}
	switch {
	case q.Err() != nil:
		return filter, q.Err()
	case filter.active && filter.completed:
		return filter, api.InvalidParameter("active_only and completed_only cannot both be true.")
	case filter.limit < 0 || filter.limit > maxPage:
		return filter, api.InvalidParameter("limit must be between 0 and %d, it is %d.", maxPage, filter.limit)
	case filter.offset < 0:
		return filter, api.InvalidParameter("offset must not be negative, it is %d.", filter.offset)
	}
	switch {
	case !q.Has("limit"):
		filter.limit = defaultPage
	case filter.limit == 0:
		filter.limit = maxPage
	}
	return filter, filter.page(q.Text("page_token"))
}

func pageToken(direction string, edge *Run) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %d", direction, edge.Submitted, edge.ID))
}

// page applies a page token to the filter.
func (f *listFilter) page(token string) error {
	if token == "" {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	var direction string
	var at cursor
	if err == nil {
		_, err = fmt.Sscanf(string(text), "%s %d %d", &direction, &at.start, &at.id)
	}
	switch {
	case err == nil && direction == "before":
		f.before = &at
	case err == nil && direction == "after":
		f.after = &at
	default:
		return api.InvalidParameter("Invalid page_token %q.", token)
	}
	return nil
}
