package statements

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/google/uuid"

	"github.com/pinflow/pinflow/local/workspace/api"
)

// Limits of the Statement Execution API, as it documents them.
const (
	maxStatement       = 16 << 20 // bytes of query text
	maxInlineResult    = 25 << 20 // bytes of a result with the disposition INLINE
	defaultWaitTimeout = 10 * time.Second
	minWaitTimeout     = 5 * time.Second
	maxWaitTimeout     = 50 * time.Second
)

// statementRequest is an execute request. Unlike the SDK's type it distinguishes missing limits and
// NULL parameters.
type statementRequest struct {
	sql.ExecuteStatementRequest
	given struct {
		Statement  *string     `json:"statement"`
		RowLimit   *int64      `json:"row_limit"`
		ByteLimit  *int64      `json:"byte_limit"`
		Parameters []parameter `json:"parameters"`
	}
	wait time.Duration
}

// statementResponse is sql.StatementResponse with rows that can hold NULL.
type statementResponse struct {
	StatementID string               `json:"statement_id"`
	Status      *sql.StatementStatus `json:"status"`
	Manifest    *sql.ResultManifest  `json:"manifest,omitempty"`
	Result      any                  `json:"result,omitempty"`
}

// executeStatement runs one statement and waits for it for wait_timeout. The response to a failed
// statement is 200 with the state FAILED.
func (a *API) executeStatement(r *http.Request) (any, error) {
	request, err := a.readStatement(r)
	if err != nil {
		return nil, err
	}
	st := a.start(request)
	if request.wait == 0 {
		return statementResponse{StatementID: st.id, Status: &sql.StatementStatus{State: sql.StatementStatePending}}, nil
	}
	timer := time.NewTimer(request.wait)
	defer timer.Stop()
	select {
	case <-st.done:
	case <-r.Context().Done(): // as documented, the statement continues after the client has disconnected
	case <-timer.C:
		if request.OnWaitTimeout == sql.ExecuteStatementRequestOnWaitTimeoutCancel {
			st.cancel()
			<-st.done
		}
	}
	return st.response(), nil
}

func (a *API) readStatement(r *http.Request) (*statementRequest, error) {
	var request statementRequest
	if err := api.ReadBody(r, &request.ExecuteStatementRequest, &request.given); err != nil {
		return nil, err
	}
	rows, bytes := request.given.RowLimit, request.given.ByteLimit
	switch {
	case request.given.Statement == nil:
		return nil, api.BadRequest("The field statement is required.")
	case request.WarehouseId == "":
		return nil, api.BadRequest("The field warehouse_id is required.")
	case request.WarehouseId != a.options.WarehouseID:
		return nil, api.InvalidParameter("%s is not a valid endpoint id.", request.WarehouseId)
	case len(request.Statement) > maxStatement:
		return nil, api.InvalidParameter("The statement has %d bytes; the maximum query text size is 16 MiB.", len(request.Statement))
	case rows != nil && (*rows < 0 || *rows > math.MaxInt32):
		return nil, api.InvalidParameter("The row_limit field must be between 0 and %d, it is %d.", math.MaxInt32, *rows)
	case bytes != nil && (*bytes < 1 || *bytes > maxInlineResult):
		return nil, api.InvalidParameter("The byte_limit field must be between 1 and %d, it is %d.", maxInlineResult, *bytes)
	case request.Disposition == sql.DispositionExternalLinks:
		return nil, api.InvalidParameter("The disposition EXTERNAL_LINKS is not supported by this workspace; use INLINE.")
	case request.Format == sql.FormatArrowStream || request.Format == sql.FormatCsv:
		return nil, api.InvalidParameter("Incompatible parameters: The format field must be JSON_ARRAY when the disposition field is INLINE.")
	}
	var err error
	request.wait, err = parseWaitTimeout(request.WaitTimeout)
	return &request, err
}

var secondsPattern = regexp.MustCompile(`^\d{1,9}s$`)

func parseWaitTimeout(text string) (time.Duration, error) {
	if text == "" {
		return defaultWaitTimeout, nil
	}
	if !secondsPattern.MatchString(text) {
		return 0, api.InvalidParameter("Error while parsing type: duration.")
	}
	seconds, err := strconv.Atoi(strings.TrimSuffix(text, "s"))
	wait := time.Duration(seconds) * time.Second
	if err != nil || (wait != 0 && (wait < minWaitTimeout || wait > maxWaitTimeout)) {
		return 0, api.InvalidParameter("The wait_timeout field must be 0 seconds (disables wait), or between 5 seconds and 50 seconds.")
	}
	return wait, nil
}

func (a *API) findStatement(r *http.Request) (*statement, error) {
	id := r.PathValue("statement_id")
	if uuid.Validate(id) != nil {
		return nil, api.InvalidParameter("Error while parsing type: statement_id.")
	}
	st := a.find(id)
	if st == nil {
		return nil, &api.Error{Status: http.StatusNotFound, Code: "NOT_FOUND", Message: "The statement " + id + " was not found."}
	}
	return st, nil
}

func (a *API) getStatement(r *http.Request) (any, error) {
	st, err := a.findStatement(r)
	if err != nil {
		return nil, err
	}
	return st.response(), nil
}

func (a *API) getStatementChunk(r *http.Request) (any, error) {
	st, err := a.findStatement(r)
	if err != nil {
		return nil, err
	}
	index, err := strconv.Atoi(r.PathValue("chunk_index"))
	if err != nil {
		return nil, api.InvalidParameter("Error while parsing type: chunk_index.")
	}
	result := st.currentResult()
	if result == nil {
		return nil, &api.Error{Status: http.StatusNotFound, Code: "NOT_FOUND", Message: "The result of the statement " + st.id + " was not found: the statement state should be SUCCEEDED before you can start fetching the result."}
	}
	if index < 0 || index >= len(result.chunks) {
		return nil, api.InvalidParameter("The chunk_index %d is out of bounds.", index)
	}
	return result.chunk(st.id, index), nil
}

// cancelStatement returns {} in any state of the statement.
func (a *API) cancelStatement(r *http.Request) (any, error) {
	st, err := a.findStatement(r)
	if err != nil {
		return nil, err
	}
	st.cancel()
	return struct{}{}, nil
}
