package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Error is an error of the API: an HTTP status, an error_code and a message.
type Error struct {
	Status int
	// Code is a text, except in authentication errors, where it is the status as a number.
	Code    any
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%v: %s", e.Code, e.Message) }

// Body returns the JSON of the error. Clients read error_code and message; details has the request
// id.
func (e *Error) Body(requestID string) any {
	return struct {
		ErrorCode any              `json:"error_code"`
		Message   string           `json:"message"`
		Details   []map[string]any `json:"details,omitempty"`
	}{e.Code, e.Message, []map[string]any{{
		"@type":        "type.googleapis.com/google.rpc.RequestInfo",
		"request_id":   requestID,
		"serving_data": "",
	}}}
}

// InvalidParameter returns a 400: a field has a value that the API, or this workspace, does not accept.
func InvalidParameter(format string, args ...any) *Error {
	return &Error{http.StatusBadRequest, "INVALID_PARAMETER_VALUE", fmt.Sprintf(format, args...)}
}

// MissingField returns a 400: a required field is absent.
func MissingField(name string) *Error {
	return InvalidParameter("Missing required field: %s", name)
}

// MalformedRequest returns a 400: the body is not the JSON that the API expects.
func MalformedRequest(format string, args ...any) *Error {
	return &Error{http.StatusBadRequest, "MALFORMED_REQUEST", fmt.Sprintf(format, args...)}
}

// BadRequest returns a 400 with the error_code of the Statement Execution API.
func BadRequest(format string, args ...any) *Error {
	return &Error{http.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf(format, args...)}
}

// EndpointMissing returns a 404: this workspace does not implement the endpoint.
func EndpointMissing(method, path string) *Error {
	return &Error{http.StatusNotFound, "ENDPOINT_NOT_FOUND", fmt.Sprintf("No API found for '%s %s'", method, path)}
}

// AsError returns the error of the API for any error of a handler. Unexpected errors keep their
// text: this workspace has no secrets from its user.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{http.StatusInternalServerError, "INTERNAL_ERROR", err.Error()}
}

// WriteJSON writes a response.
func WriteJSON(w http.ResponseWriter, status int, body any) error {
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
