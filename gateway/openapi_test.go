package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/config"
)

// documented validates requests and responses by the OpenAPI document.
var documented = sync.OnceValues(func() (validator.Validator, error) {
	document, err := libopenapi.NewDocument(openAPI)
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(document)
	return v, errors.Join(errs...)
})

// validating is held while a response is validated: the library renders schemas in place.
var validating sync.Mutex

// requireDocumented checks a response by the OpenAPI document. Paths and methods that it does not have
// are answered with 404 and 405, which have no operation.
func requireDocumented(t testing.TB, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	v, err := documented()
	require.NoError(t, err)
	if w.Code == http.StatusMethodNotAllowed || r.Method == http.MethodHead || w.Code == http.StatusNotFound && strings.Contains(w.Body.String(), "HTTP 404") {
		return
	}
	sent := w.Result()
	defer sent.Body.Close()
	validating.Lock()
	ok, wrong := v.ValidateHttpResponse(r, sent)
	validating.Unlock()
	require.True(t, ok, "%s %s was answered %d %s: %v", r.Method, r.URL.Path, w.Code, w.Body, wrong)
}

// openAPIDocument is what the tests read of the document.
type openAPIDocument struct {
	Info  struct{ Version string }
	Paths map[string]map[string]struct {
		Responses map[string]struct {
			Content map[string]struct{ Schema json.RawMessage }
		}
		RequestBody struct {
			Content map[string]struct{ Example json.RawMessage }
		}
	}
}

func readOpenAPI(t testing.TB) (document openAPIDocument) {
	t.Helper()
	require.NoError(t, json.Unmarshal(openAPI, &document))
	return document
}

func TestOpenAPI(t *testing.T) {
	document := readOpenAPI(t)

	t.Run("is_valid_and_of_this_version", func(t *testing.T) {
		v, err := documented()
		require.NoError(t, err)
		ok, wrong := v.ValidateDocument()
		require.True(t, ok, "%v", wrong)
		require.Equal(t, config.Version, document.Info.Version)
	})

	t.Run("has_the_routes_of_the_server_and_no_others", func(t *testing.T) {
		var want, got []string
		for _, one := range newTestServer(t, newFakeBroker(), nil).routes() {
			want = append(want, one.method+" "+strings.TrimSuffix(one.path, "{$}"))
		}
		for path, methods := range document.Paths {
			for method := range methods {
				got = append(got, strings.ToUpper(method)+" "+path)
			}
		}
		require.ElementsMatch(t, want, got)
	})

	// Each response that the document has is provoked, and no other can be.
	t.Run("has_the_responses_of_the_handlers_and_no_others", func(t *testing.T) {
		want, got := map[string]bool{}, map[string]bool{}
		for path, methods := range document.Paths {
			for method, operation := range methods {
				for status, response := range operation.Responses {
					for _, code := range errorCodes(t, response.Content[contentType].Schema) {
						want[strings.TrimSpace(strings.ToUpper(method)+" "+path+" "+status+" "+code)] = true
					}
				}
			}
		}
		for _, c := range provoked() {
			t.Run(c.name, func(t *testing.T) {
				broker := newFakeBroker("pinflow.pin", "Pinterest_data")
				if c.broker != nil {
					c.broker(broker)
				}
				server := newTestServer(t, broker, func(o *Options) {
					if c.options != nil {
						c.options(o)
					}
				})
				r := c.request()
				w := serve(t, server, r)
				if w.Code == http.StatusTooManyRequests || w.Code == http.StatusServiceUnavailable && r.URL.Path != "/healthz" {
					require.NotEmpty(t, w.Header().Get("Retry-After"))
				}
				var body struct {
					Code    int `json:"error_code"`
					Offsets []struct {
						Code int `json:"error_code"`
					}
				}
				code := ""
				if strings.HasPrefix(w.Header().Get("Content-Type"), contentType) && w.Body.Bytes()[0] == '{' {
					require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
				}
				for _, one := range body.Offsets {
					body.Code = max(body.Code, one.Code)
				}
				if body.Code != 0 && w.Code != http.StatusOK {
					code = " " + strconv.Itoa(body.Code)
				}
				path := strings.Replace(r.URL.Path, "/topics/pinflow.pin", "/topics/{topic}", 1)
				path = strings.Replace(path, "/topics/none", "/topics/{topic}", 1)
				got[fmt.Sprintf("%s %s %d%s", r.Method, path, w.Code, code)] = true
			})
		}
		require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
	})

	t.Run("has_examples_that_the_handlers_take", func(t *testing.T) {
		v, err := documented()
		require.NoError(t, err)
		server := newTestServer(t, newFakeBroker("pinflow.pin", "Pinterest_data"), nil)
		for path, kind := range map[string]string{"/topics/{topic}": versionedJSON, "/pin/": plainJSON} {
			example := document.Paths[path]["post"].RequestBody.Content[kind].Example
			request := func() *http.Request {
				r := httptest.NewRequest(http.MethodPost, strings.Replace(path, "{topic}", "pinflow.pin", 1), bytes.NewReader(example))
				r.Header.Set("Content-Type", kind)
				r.Header.Set("x-api-key", testKey)
				return r
			}
			ok, wrong := v.ValidateHttpRequest(request())
			require.True(t, ok, "%s: %v", path, wrong)
			require.Equal(t, http.StatusOK, serve(t, server, request()).Code)
		}
		require.JSONEq(t, examplePost, string(document.Paths["/pin/"]["post"].RequestBody.Content[plainJSON].Example))
	})

	t.Run("is_served_without_a_key", func(t *testing.T) {
		w := serve(t, newTestServer(t, newFakeBroker(), nil), httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, openAPI, w.Body.Bytes())
	})
}

// errorCodes returns the error codes that a schema allows; one empty text if it has none.
func errorCodes(t testing.TB, schema json.RawMessage) (codes []string) {
	t.Helper()
	var one struct {
		OneOf []json.RawMessage
		AllOf []struct {
			Properties struct {
				Code struct{ Enum []int } `json:"error_code"`
			}
		}
	}
	if len(schema) > 0 {
		require.NoError(t, json.Unmarshal(schema, &one))
	}
	if len(one.OneOf) > 0 {
		return errorCodes(t, one.OneOf[0])
	}
	for _, part := range one.AllOf {
		for _, code := range part.Properties.Code.Enum {
			codes = append(codes, strconv.Itoa(code))
		}
	}
	if len(codes) == 0 {
		return []string{""}
	}
	return codes
}

// slow is a body that does not come.
type slow struct{}

func (slow) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

type provocation struct {
	name    string
	request func() *http.Request
	broker  func(*fakeBroker)
	options func(*Options)
}

// provoked returns requests that get every response.
func provoked() (all []provocation) {
	records := func(body string) func() *http.Request {
		return func() *http.Request { return post("pinflow.pin", body) }
	}
	pin := func(body string) func() *http.Request { return func() *http.Request { return postPin(body) } }
	get := func(path string) func() *http.Request {
		return func() *http.Request {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("x-api-key", testKey)
			return r
		}
	}
	with := func(request func() *http.Request, change func(*http.Request)) func() *http.Request {
		return func() *http.Request { r := request(); change(r); return r }
	}
	down := func(err error) func(*fakeBroker) { return func(b *fakeBroker) { b.down = err } }
	failing := func(err error) func(*fakeBroker) {
		return func(b *fakeBroker) { b.before = func(string, []kafka.Message) error { return err } }
	}
	add := func(name string, request func() *http.Request, broker func(*fakeBroker), options func(*Options)) {
		all = append(all, provocation{name, request, broker, options})
	}
	for name, c := range map[string]struct{ good, syntax, content, large func() *http.Request }{
		"topic": {records(`{"records":[{"value":1}]}`), records(`{`), records(`{"records":[]}`), records(`{"records":[{"value":"` + strings.Repeat("x", kafka.MaxMessageBytes) + `"}]}`)},
		"pin":   {pin(examplePost), pin(`{`), pin(`{}`), pin(`{"index":1,"title":"` + strings.Repeat("x", kafka.MaxMessageBytes) + `"}`)},
	} {
		add(name+" good", c.good, nil, nil)
		add(name+" syntax", c.syntax, nil, nil)
		add(name+" content", c.content, nil, nil)
		add(name+" large", c.large, nil, nil)
		add(name+" no key", with(c.good, func(r *http.Request) { r.Header.Del("x-api-key") }), nil, nil)
		add(name+" wrong key", with(c.good, func(r *http.Request) { r.Header.Set("x-api-key", "wrong") }), nil, nil)
		add(name+" type", with(c.good, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }), nil, nil)
		add(name+" slow", with(c.good, func(r *http.Request) { r.Body = io.NopCloser(slow{}) }), nil, nil)
		add(name+" full", c.good, nil, func(o *Options) { o.Limits.InFlightRequests = 0 })
		add(name+" no topic", c.good, failing(kafka.ErrUnknownTopic), nil)
		add(name+" unauthenticated", c.good, failing(kafkago.SASLAuthenticationFailed), nil)
		add(name+" unauthorized", c.good, failing(kafkago.TopicAuthorizationFailed), nil)
		add(name+" rejected", c.good, failing(kafkago.PolicyViolation), nil)
		add(name+" unavailable", c.good, failing(kafka.ErrUnreachable), nil)
		add(name+" unknown", c.good, failing(kafka.ErrUnknownOutcome), nil)
	}
	add("no such topic", func() *http.Request { return post("none", `{"records":[{"value":1}]}`) }, nil, nil)
	add("no such partition", records(`{"records":[{"value":1}]}`), failing(kafka.ErrUnknownPartition), nil)
	for name, err := range map[string]error{"rejected": kafkago.PolicyViolation, "unauthenticated": kafkago.SASLAuthenticationFailed, "unauthorized": kafkago.TopicAuthorizationFailed} {
		one := func(b *fakeBroker) {
			b.ack = func(i int, _ kafka.Message) error { return map[int]error{0: err}[i] }
		}
		add("one record "+name, records(`{"records":[{"value":1},{"value":2}]}`), one, nil)
		add("topics "+name, get("/topics"), down(err), nil)
	}
	add("topics good", get("/topics"), nil, nil)
	add("topics no key", with(get("/topics"), func(r *http.Request) { r.Header.Del("x-api-key") }), nil, nil)
	add("topics wrong key", with(get("/topics"), func(r *http.Request) { r.Header.Set("x-api-key", "wrong") }), nil, nil)
	add("topics unavailable", get("/topics"), down(kafka.ErrUnreachable), nil)
	add("healthy", get("/healthz"), nil, nil)
	add("unhealthy", get("/healthz"), down(kafka.ErrUnreachable), nil)
	add("metrics", get("/metrics"), nil, nil)
	add("openapi", get("/openapi.json"), nil, nil)
	return all
}
