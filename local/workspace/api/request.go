package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// MaxBody limits the body of a request. The largest documented inputs are a 10 MB notebook in
// base64 and 16 MiB of query text.
const MaxBody = 36 << 20

// ReadBody decodes the JSON of a request into each of targets: into the SDK's type, and into others
// where null and absent differ from zero, or where the SDK's errors do not name the field.
func ReadBody(r *http.Request, targets ...any) error {
	data, err := readAll(r)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		data = []byte("{}")
	}
	for _, target := range targets {
		if err := decode(data, target); err != nil {
			return err
		}
	}
	return nil
}

func readAll(r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, InvalidParameter("The request body is larger than %d bytes.", tooLarge.Limit)
	}
	if err != nil {
		return nil, MalformedRequest("The request body could not be read: %v", err)
	}
	return data, nil
}

func decode(data []byte, target any) error {
	err := json.Unmarshal(data, target)
	var notJSON *json.SyntaxError
	var otherType *json.UnmarshalTypeError
	var refused *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &notJSON):
		return MalformedRequest("Invalid JSON given in the body of the request - failed to parse given JSON: %v", notJSON)
	case errors.As(err, &otherType) && otherType.Field != "":
		return MalformedRequest("Could not parse request object: The field %s must be %s, and is %s.", otherType.Field, kindOf(otherType.Type), inJSON(otherType.Value))
	}
	return MalformedRequest("Could not parse request object: %v", err)
}

// kindOf returns what a field of a Go type is in JSON.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "an array"
	case reflect.Struct, reflect.Map, reflect.Pointer:
		return "an object"
	}
	return "a number"
}

// inJSON returns what encoding/json calls a value, with its article.
func inJSON(value string) string {
	switch kind, _, _ := strings.Cut(value, " "); kind { // "number 1.5"
	case "string":
		return "a text"
	case "bool":
		return "true or false"
	case "array", "object":
		return "an " + kind
	}
	return "a number"
}

// Texts are texts by name. A value that is no text is an error that names it.
type Texts map[string]string

// UnmarshalJSON decodes a JSON object.
func (t *Texts) UnmarshalJSON(data []byte) error {
	var values map[string]any
	if err := json.Unmarshal(data, &values); err != nil {
		return err
	}
	*t = Texts{}
	for name, value := range values {
		kind := "an object"
		switch value := value.(type) {
		case string:
			(*t)[name] = value
			continue
		case nil:
			kind = "null"
		case bool:
			kind = "true or false"
		case float64:
			kind = "a number"
		case []any:
			kind = "an array"
		}
		return InvalidParameter("base_parameters.%s must be a text, and is %s; write it in quotes.", name, kind)
	}
	return nil
}

// Query reads the query parameters of a request and keeps the first error, so that a handler checks
// it once.
type Query struct {
	values url.Values
	err    error
}

// NewQuery returns the parameters of a request. As in the service, a GET may have them as a JSON
// object in its body; those in the address count more.
func NewQuery(r *http.Request) *Query {
	q := &Query{values: r.URL.Query()}
	var data []byte
	if data, q.err = readAll(r); q.err != nil || len(data) == 0 {
		return q
	}
	var body map[string]json.RawMessage
	if q.err = decode(data, &body); q.err != nil {
		return q
	}
	for name, value := range body {
		text := string(value) // a number or a boolean
		if q.values.Has(name) || text == "null" {
			continue
		}
		var unquoted string
		if json.Unmarshal(value, &unquoted) == nil {
			text = unquoted
		}
		q.values.Set(name, text)
	}
	return q
}

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
