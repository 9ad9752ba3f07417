package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// MaxBody limits the body of a request. The largest documented inputs are a 10 MB notebook in
// base64 and 16 MiB of query text.
const MaxBody = 36 << 20

// ReadBody decodes the JSON of a request into each of targets: into the SDK's type and, where null
// and absent differ from zero, into another one.
func ReadBody(r *http.Request, targets ...any) error {
	data, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return InvalidParameter("The request body is larger than %d bytes.", tooLarge.Limit)
	}
	if err != nil {
		return MalformedRequest("The request body could not be read: %v", err)
	}
	if len(data) == 0 {
		data = []byte("{}")
	}
	for _, target := range targets {
		err := json.Unmarshal(data, target)
		var notJSON *json.SyntaxError
		if errors.As(err, &notJSON) {
			return MalformedRequest("Invalid JSON given in the body of the request - failed to parse given JSON: %v", notJSON)
		}
		if err != nil {
			return MalformedRequest("Could not parse request object: %v", err)
		}
	}
	return nil
}

// Query reads the query parameters of a request and keeps the first error, so that a handler checks
// it once.
type Query struct {
	values url.Values
	err    error
}

// NewQuery returns the parameters of a request.
func NewQuery(r *http.Request) *Query { return &Query{values: r.URL.Query()} }

// Err returns the error of the first parameter that could not be read.
func (q *Query) Err() error { return q.err }

func (q *Query) fail(name, wanted string) {
	if q.err == nil {
		q.err = InvalidParameter("Invalid value %q for the parameter %s: expected %s.", q.values.Get(name), name, wanted)
	}
}

// Text returns a parameter; empty if it is absent.
func (q *Query) Text(name string) string { return q.values.Get(name) }

// Has reports whether a parameter is present.
func (q *Query) Has(name string) bool { return q.values.Has(name) }

// Integer returns a parameter; 0 if it is absent.
func (q *Query) Integer(name string) int64 {
	text := q.values.Get(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		q.fail(name, "an integer")
	}
	return n
}

// Boolean returns a parameter; false if it is absent.
func (q *Query) Boolean(name string) bool {
	text := q.values.Get(name)
	if text == "" {
		return false
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		q.fail(name, "true or false")
	}
	return b
}
