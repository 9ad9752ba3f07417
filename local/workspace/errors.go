package workspace

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// apiError is an error of the API: a status, an error_code and a message.
type apiError struct {
	status int
	// code is a text, except in authentication errors, where it is the status as a number.
	code    any
	message string
}

func (e *apiError) Error() string { return fmt.Sprintf("%v: %s", e.code, e.message) }

// body returns the JSON of the error. Clients read error_code and message; details has the request
// id.
func (e *apiError) body(requestID string) any {
	return struct {
		ErrorCode any              `json:"error_code"`
		Message   string           `json:"message"`
		Details   []map[string]any `json:"details,omitempty"`
	}{e.code, e.message, []map[string]any{{
		"@type":        "type.googleapis.com/google.rpc.RequestInfo",
		"request_id":   requestID,
		"serving_data": "",
	}}}
}

func invalidParameter(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "INVALID_PARAMETER_VALUE", fmt.Sprintf(format, args...)}
}

func missingField(name string) *apiError {
	return invalidParameter("Missing required field: %s", name)
}

func malformedRequest(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "MALFORMED_REQUEST", fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf(format, args...)}
}

// runMissing is the error of the Jobs API for a run that does not exist: a 400. The SDK recognizes
// the text and returns ErrResourceDoesNotExist.
func runMissing(runID int64) *apiError {
	return invalidParameter("Run %d does not exist.", runID)
}

func endpointMissing(method, path string) *apiError {
	return &apiError{http.StatusNotFound, "ENDPOINT_NOT_FOUND", fmt.Sprintf("No API found for '%s %s'", method, path)}
}

// asAPIError returns the error of the API for any error of a handler. Unexpected errors keep their
// text: this workspace has no secrets from its user.
func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return &apiError{http.StatusInternalServerError, "INTERNAL_ERROR", err.Error()}
}

func writeJSON(w http.ResponseWriter, status int, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		http.Error(w, `{"error_code":"INTERNAL_ERROR","message":"the answer cannot be written as JSON"}`, http.StatusInternalServerError)
		return fmt.Errorf("write the answer as JSON: %w", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, err = w.Write(data)
	return err
}
