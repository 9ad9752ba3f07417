package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/observe/observetest"
)

func get(path string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("x-api-key", testKey)
	return r
}

func TestTopics(t *testing.T) {
	t.Run("lists_the_users_topics_only", func(t *testing.T) {
		server := newTestServer(t, newFakeBroker("pinflow.pin", "other.pin", "pinflowx"), nil)
		w := serve(t, server, get("/topics"))
		require.Equal(t, http.StatusOK, w.Code)
		require.JSONEq(t, `["pinflow.pin"]`, w.Body.String())

		w = serve(t, newTestServer(t, newFakeBroker(), nil), get("/topics"))
		require.JSONEq(t, `[]`, w.Body.String())

		down := newFakeBroker()
		down.down = kafka.ErrUnreachable
		requireProblem(t, serve(t, newTestServer(t, down, nil), get("/topics")), 503, 50003)

		noKey := get("/topics")
		noKey.Header.Del("x-api-key")
		requireProblem(t, serve(t, server, noKey), 401, 401)
	})
}

func TestRoutes(t *testing.T) {
	t.Run("unknown_ones_are_errors_in_the_same_format", func(t *testing.T) {
		server := newTestServer(t, newFakeBroker("pinflow.pin"), nil)
		requireProblem(t, serve(t, server, get("/nothing")), 404, 404)
		w := serve(t, server, get("/topics/pinflow.pin"))
		requireProblem(t, w, 405, 405)
		require.Equal(t, "POST", w.Header().Get("Allow"))
		r := get("/topics")
		r.Method = http.MethodDelete
		requireProblem(t, serve(t, server, r), 405, 405)
	})
}

func TestHealth(t *testing.T) {
	t.Run("reports_whether_kafka_is_reachable", func(t *testing.T) {
		broker := newFakeBroker()
		server := newTestServer(t, broker, nil)
		probe := httptest.NewRequest(http.MethodGet, "/healthz", nil) // without an API key
		require.Equal(t, http.StatusOK, serve(t, server, probe).Code)
		broker.down = kafka.ErrUnreachable
		require.Equal(t, http.StatusServiceUnavailable, serve(t, server, probe).Code)
	})
}

func TestMetrics(t *testing.T) {
	t.Run("count_requests_records_and_bytes", func(t *testing.T) {
		server := newTestServer(t, newFakeBroker("pinflow.pin"), nil)
		serve(t, server, post("pinflow.pin", `{"records":[{"key":"ab","value":"cd"},{"value":1}]}`))
		serve(t, server, post("pinflow.pin", `{}`))
		text := serve(t, server, httptest.NewRequest(http.MethodGet, "/metrics", nil)).Body.String()
		for _, line := range []string{
			`pinflow_gateway_requests_total{code="200",key="key-2",route="POST /topics/{topic}"} 1`,
			`pinflow_gateway_requests_total{code="422",key="key-2",route="POST /topics/{topic}"} 1`,
			`pinflow_gateway_records_total{outcome="acknowledged",topic="pinflow.pin"} 2`,
			`pinflow_gateway_record_size_bytes_total{topic="pinflow.pin"} 7`,
			`pinflow_gateway_in_flight_requests 0`,
			`pinflow_gateway_in_flight_size_bytes 0`,
			`pinflow_gateway_request_duration_seconds_count{route="POST /topics/{topic}"} 2`,
		} {
			require.Contains(t, text, line+"\n")
		}
	})
}

func TestDocumentedMetrics(t *testing.T) {
	server := newTestServer(t, newFakeBroker("pinflow.pin"), nil)
	serve(t, server, post("pinflow.pin", `{"records":[{"value":1}]}`))
	server.metrics.batch(kafka.Batch{Records: 1, Took: time.Second}) // the fake broker has none
	require.Equal(t, observetest.Documented(t, "../docs/metrics.md", "Gateway"), observetest.Exported(t, server.metrics.handler()))
}

func TestLogs(t *testing.T) {
	t.Run("contain_no_api_key", func(t *testing.T) {
		var logs bytes.Buffer
		server := newTestServer(t, newFakeBroker("pinflow.pin"), func(o *Options) {
			o.Log = slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		serve(t, server, post("pinflow.pin", `{"records":[{"value":1}]}`))
		wrong := post("pinflow.pin", `{}`)
		wrong.Header.Set("x-api-key", "secret-guess")
		serve(t, server, wrong)
		require.Contains(t, logs.String(), `"status":403`)
		require.NotContains(t, logs.String(), testKey)
		require.NotContains(t, logs.String(), "secret-guess")
	})
}

func TestNewServer(t *testing.T) {
	t.Run("needs_api_keys", func(t *testing.T) {
		for _, keys := range [][]string{nil, {}, {""}, {" ", ""}} {
			_, err := NewServer(Options{APIKeys: keys})
			require.ErrorContains(t, err, "PINFLOW_API_KEYS")
		}
	})
}

// holding makes the broker block each request until release is closed, and signals when one has
// arrived.
func holding(b *fakeBroker) (arrived chan string, release chan struct{}) {
	arrived, release = make(chan string, 100), make(chan struct{})
	b.before = func(topic string, _ []kafka.Message) error {
		arrived <- topic
		<-release
		return nil
	}
	return arrived, release
}

func TestBackPressure(t *testing.T) {
	t.Run("rejects_requests_beyond_the_limits", func(t *testing.T) {
		body := `{"records":[{"value":"` + strings.Repeat("x", 1000) + `"}]}`
		for name, limit := range map[string]func(*Limits){
			"requests": func(l *Limits) { l.InFlightRequests = 2 },
			"bytes":    func(l *Limits) { l.InFlightBytes = 2*int64(len(body)+recordCost) + int64(len(body)) - 1 },
			"records":  func(l *Limits) { l.InFlightBytes = 3*int64(len(body)) + 3*recordCost - 1 },
		} {
			t.Run(name, func(t *testing.T) {
				broker := newFakeBroker("pinflow.pin")
				arrived, release := holding(broker)
				server := newTestServer(t, broker, func(o *Options) {
					limit(&o.Limits)
					o.APIKeys = []string{testKey}
				})
				var wg sync.WaitGroup
				for range 2 {
					wg.Go(func() {
						if w := serve(t, server, post("pinflow.pin", body)); w.Code != http.StatusOK {
							t.Errorf("answer %d %s", w.Code, w.Body)
						}
					})
					<-arrived
				}
				w := serve(t, server, post("pinflow.pin", body))
				requireProblem(t, w, 429, 429)
				require.Equal(t, "1", w.Header().Get("Retry-After"))
				close(release)
				wg.Wait()
				require.Equal(t, http.StatusOK, serve(t, server, post("pinflow.pin", body)).Code, "memory is free again")
				require.Len(t, broker.records("pinflow.pin"), 3)
			})
		}
	})
}

func TestServe(t *testing.T) {
	t.Run("answers_open_requests_before_it_stops", func(t *testing.T) {
		broker := newFakeBroker("pinflow.pin")
		arrived, release := holding(broker)
		server := newTestServer(t, broker, nil)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		url := "http://" + listener.Addr().String()
		ctx, end := context.WithCancelCause(context.Background())
		served := make(chan error, 1)
		go func() { served <- server.Serve(ctx, listener) }()

		status := make(chan int, 1)
		go func() {
			r, _ := http.NewRequest(http.MethodPost, url+"/topics/pinflow.pin", strings.NewReader(`{"records":[{"value":1}]}`))
			r.Header.Set("Content-Type", versionedJSON)
			r.Header.Set("x-api-key", testKey)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				status <- 0
				return
			}
			_ = answer.Body.Close()
			status <- answer.StatusCode
		}()
		<-arrived
		end(errors.New("the test ends it"))
		require.Eventually(t, func() bool {
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err == nil {
				_ = conn.Close()
			}
			return err != nil
		}, patience, time.Millisecond, "no new connections")
		require.Equal(t, http.StatusServiceUnavailable, serve(t, server, httptest.NewRequest(http.MethodGet, "/healthz", nil)).Code)
		require.Empty(t, served, "a request is under way")
		close(release)
		require.Equal(t, http.StatusOK, <-status)
		require.NoError(t, <-served)
		require.True(t, broker.closed)
		require.Len(t, broker.records("pinflow.pin"), 1)
	})

	t.Run("keeps_the_order_of_one_clients_requests", func(t *testing.T) {
		broker := newFakeBroker("pinflow.pin")
		server := httptest.NewServer(newTestServer(t, broker, nil).Handler())
		defer server.Close()
		for i := range 50 {
			body := fmt.Sprintf(`{"records":[{"key":"1","value":%d},{"key":"1","value":%d}]}`, 2*i, 2*i+1)
			r, err := http.NewRequest(http.MethodPost, server.URL+"/topics/pinflow.pin", strings.NewReader(body))
			require.NoError(t, err)
			r.Header.Set("Content-Type", versionedJSON+"; charset=UTF-8")
			r.Header.Set("X-API-Key", testKey)
			answer, err := server.Client().Do(r)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, answer.Body)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, http.StatusOK, answer.StatusCode)
		}
		for i, m := range broker.records("pinflow.pin") {
			var value int
			require.NoError(t, json.Unmarshal(m.Value, &value))
			require.Equal(t, i, value)
		}
		require.Len(t, broker.records("pinflow.pin"), 100)
	})
}

func TestRun(t *testing.T) {
	t.Run("usage_errors_have_an_exit_code_of_their_own", func(t *testing.T) {
		t.Chdir(t.TempDir())
		t.Setenv("PINFLOW_API_KEYS", "")
		for name, c := range map[string]struct {
			args []string
			code int
			says string
		}{
			"version":       {[]string{"-version"}, exitDone, ""},
			"help":          {[]string{"-h"}, exitDone, "usage"},
			"unknown flag":  {[]string{"-port", "1"}, exitUsage, "usage"},
			"an argument":   {[]string{"now"}, exitUsage, "usage"},
			"no API keys":   {nil, exitUsage, "PINFLOW_API_KEYS"},
			"bad log level": {nil, exitUsage, "PINFLOW_LOG_LEVEL"},
			"busy port":     {nil, exitFailed, "PINFLOW_GATEWAY_ADDRESS"},
		} {
			t.Run(name, func(t *testing.T) {
				switch name {
				case "bad log level":
					t.Setenv("PINFLOW_LOG_LEVEL", "loud")
				case "busy port":
					busy, err := net.Listen("tcp", "127.0.0.1:0")
					require.NoError(t, err)
					defer func() { require.NoError(t, busy.Close()) }()
					t.Setenv("PINFLOW_API_KEYS", "k")
					t.Setenv("PINFLOW_GATEWAY_ADDRESS", busy.Addr().String())
				}
				var out, errs bytes.Buffer
				require.Equal(t, c.code, run(context.Background(), c.args, &out, &errs))
				require.Contains(t, errs.String(), c.says)
			})
		}
	})
}
