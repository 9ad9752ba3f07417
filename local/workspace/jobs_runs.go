package workspace

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/databricks/databricks-sdk-go/service/jobs"
)

// The number of runs in a page of runs/list (Jobs API, runs/list: 20 by default, at most 25; a
// limit of 0 means the maximum).
const (
	defaultPage = 20
	maxPage     = 25
)

// findRun returns the run with that id, or the run of the task run with that id.
func (s *Server) findRun(ctx context.Context, runID int64) (*run, error) {
	found, err := s.store.find(ctx, runID)
	if errors.Is(err, errRunMissing) {
		return nil, runMissing(runID)
	}
	return found, err
}

// getRun returns a job run, or the run of a task.
func (s *Server) getRun(r *http.Request) (any, error) {
	q := newQuery(r)
	id := q.runID()
	if q.err != nil {
		return nil, q.err
	}
	found, err := s.findRun(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if t := found.task(id); t != nil {
		return s.wireTaskRun(found, t), nil
	}
	return s.wireRun(found), nil
}

// getRunOutput returns the output of the run of a task; as in the service, the id of the job run is
// an error even if it has a single task. A SQL notebook has no dbutils.notebook.exit, so that
// notebook_output is empty, as documented. The page of the run has the last result.
func (s *Server) getRunOutput(r *http.Request) (any, error) {
	q := newQuery(r)
	id := q.runID()
	if q.err != nil {
		return nil, q.err
	}
	found, err := s.findRun(r.Context(), id)
	if err != nil {
		return nil, err
	}
	t := found.task(id)
	if t == nil {
		return nil, invalidParameter("Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each individual task run instead.")
	}
	metadata := s.wireTaskRun(found, t)
	output := jobs.RunOutput{Metadata: &metadata, Error: t.Error, ErrorTrace: t.Trace}
	if !t.active() {
		output.NotebookOutput = &jobs.NotebookOutput{}
	}
	return output, nil
}

// cancelRun requests the end of a run, or of the run of a task, and returns at once. The running
// statement is interrupted; the run is TERMINATING until it has ended. A run that has ended does
// not change.
func (s *Server) cancelRun(r *http.Request) (any, error) {
	var request jobs.CancelRun
	if err := readBody(r, &request); err != nil {
		return nil, err
	}
	if request.RunId == 0 {
		return nil, missingField("run_id")
	}
	if _, err := s.findRun(r.Context(), request.RunId); err != nil {
		return nil, err
	}
	s.runner.cancel(request.RunId)
	return struct{}{}, nil
}

// deleteRun removes a run that has ended; an active run is an error.
func (s *Server) deleteRun(r *http.Request) (any, error) {
	var request jobs.DeleteRun
	if err := readBody(r, &request); err != nil {
		return nil, err
	}
	if request.RunId == 0 {
		return nil, missingField("run_id")
	}
	found, err := s.findRun(r.Context(), request.RunId)
	if err != nil {
		return nil, err
	}
	if found.ID != request.RunId {
		return nil, runMissing(request.RunId)
	}
	if found.active() {
		return nil, &apiError{http.StatusBadRequest, "INVALID_STATE", fmt.Sprintf("Run %d is active. Cancel it and wait until it has ended before it is deleted.", found.ID)}
	}
	return struct{}{}, s.store.delete(r.Context(), found.ID)
}

// listRuns lists job runs, newest first. A page token names the run at the edge of the page, so
// that runs that start meanwhile do not shift the pages.
func (s *Server) listRuns(r *http.Request) (any, error) {
	q := newQuery(r)
	expand := q.boolean("expand_tasks")
	filter, err := readListFilter(q)
	if err != nil {
		return nil, err
	}
	switch runType := jobs.RunType(q.text("run_type")); runType {
	case "", jobs.RunTypeSubmitRun:
	case jobs.RunTypeJobRun, jobs.RunTypeWorkflowRun:
		return jobs.ListRunsResponse{}, nil // this workspace has no jobs, only one-time runs
	default:
		return nil, invalidParameter("Invalid run_type %q: it must be JOB_RUN, WORKFLOW_RUN or SUBMIT_RUN.", runType)
	}
	runs, more, err := s.store.list(r.Context(), filter)
	if err != nil {
		return nil, err
	}
	// Behind a page that was reached backwards is the page that it was reached from.
	response := jobs.ListRunsResponse{HasMore: more || filter.after != nil}
	for _, found := range runs {
		response.Runs = append(response.Runs, s.wireBaseRun(found, expand))
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

func readListFilter(q *query) (listFilter, error) {
	filter := listFilter{
		active:    q.boolean("active_only"),
		completed: q.boolean("completed_only"),
		jobID:     q.integer("job_id"),
		from:      q.integer("start_time_from"),
		to:        q.integer("start_time_to"),
		offset:    int(q.integer("offset")),
		limit:     int(q.integer("limit")),
	}
	switch {
	case q.err != nil:
		return filter, q.err
	case filter.active && filter.completed:
		return filter, invalidParameter("active_only and completed_only cannot both be true.")
	case filter.limit < 0 || filter.limit > maxPage:
		return filter, invalidParameter("limit must be between 0 and %d, it is %d.", maxPage, filter.limit)
	case filter.offset < 0:
		return filter, invalidParameter("offset must not be negative, it is %d.", filter.offset)
	}
	switch {
	case !q.has("limit"):
		filter.limit = defaultPage
	case filter.limit == 0:
		filter.limit = maxPage
	}
	return filter, filter.page(q.text("page_token"))
}

func pageToken(direction string, edge *run) string {
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
		return invalidParameter("Invalid page_token %q.", token)
	}
	return nil
}
