package workspace

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// maxBody limits the body of a request. The largest documented inputs are a 10 MB notebook in
// base64 and 16 MiB of query text.
const maxBody = 36 << 20

// readBody decodes the JSON of a request into each of targets: into the SDK's type and, where null
// and absent differ from zero, into another one.
func readBody(r *http.Request, targets ...any) error {
	data, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return invalidParameter("The request body is larger than %d bytes.", tooLarge.Limit)
	}
	if err != nil {
		return malformedRequest("The request body could not be read: %v", err)
	}
	if len(data) == 0 {
		data = []byte("{}")
	}
	for _, target := range targets {
		err := json.Unmarshal(data, target)
		var notJSON *json.SyntaxError
		if errors.As(err, &notJSON) {
			return malformedRequest("Invalid JSON given in the body of the request - failed to parse given JSON: %v", notJSON)
		}
		if err != nil {
			return malformedRequest("Could not parse request object: %v", err)
		}
	}
	return nil
}

// query reads the query parameters of a request and keeps the first error, so that a handler checks
// it once.
type query struct {
	values url.Values
	err    error
}

func newQuery(r *http.Request) *query { return &query{values: r.URL.Query()} }

func (q *query) fail(name, wanted string) {
	if q.err == nil {
		q.err = invalidParameter("Invalid value %q for the parameter %s: expected %s.", q.values.Get(name), name, wanted)
	}
}

func (q *query) text(name string) string { return q.values.Get(name) }

func (q *query) has(name string) bool { return q.values.Has(name) }

func (q *query) integer(name string) int64 {
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

func (q *query) boolean(name string) bool {
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

// runID returns the parameter with the id of a run.
func (q *query) runID() int64 {
	id := q.integer("run_id")
	if id == 0 && q.err == nil {
		q.err = missingField("run_id")
	}
	return id
}
