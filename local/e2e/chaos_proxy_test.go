package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/Shopify/toxiproxy/v2/toxics" // registers the toxics
	"github.com/stretchr/testify/require"
)

// faults counts what was injected, by system and kind.
type faults struct {
	mu     sync.Mutex
	random *rand.Rand
	counts map[string]int
	calm   bool // nothing more is injected
}

// roll reports whether one of so many requests gets a fault, and notes it.
func (f *faults) roll(oneOf int, kind string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calm || f.random.IntN(oneOf) > 0 {
		return false
	}
	f.counts[kind]++
	return true
}

func (f *faults) note(kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[kind]++
}

func (f *faults) between(low, high int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return low + f.random.IntN(high-low+1)
}

func (f *faults) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calm = true
}

// total is the number of faults so far.
func (f *faults) total() (sum int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.counts {
		sum += n
	}
	return sum
}

// chaosProxy forwards HTTP requests to a server that may be down. A fault may take a request before
// the server gets it, and may change or lose its answer.
func chaosProxy(t *testing.T, upstream string, before func(http.ResponseWriter, *http.Request) bool, after func(*http.Response) error) string {
	target, err := url.Parse(upstream)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = target.Host
			if strings.HasPrefix(r.In.Header.Get("Authorization"), "AWS4") {
				r.Out.Host = r.In.Host // it is signed
			}
		},
		ModifyResponse: after,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { cutConnection(w) },
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { // ReverseProxy panics to end a response in its middle
			if failed := recover(); failed != nil {
				cutConnection(w)
			}
		}()
		if !before(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// cutConnection ends a connection without an answer.
func cutConnection(w http.ResponseWriter) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if conn, _, err := hijacker.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // a reset
			}
			conn.Close()
		}
	}
}

// errLost loses an answer: ModifyResponse's error goes to the ErrorHandler, which cuts the connection.
var errLost = fmt.Errorf("the answer is lost")

// chaosS3 is a proxy before S3.
func chaosS3(t *testing.T, upstream string, f *faults) string {
	refuse := func(w http.ResponseWriter, status int, code string) bool {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>chaos</Message></Error>", code)
		return true
	}
	return chaosProxy(t, upstream, func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case f.roll(50, "S3: 500"):
			return refuse(w, http.StatusInternalServerError, "InternalError")
		case f.roll(50, "S3: 503"):
			return refuse(w, http.StatusServiceUnavailable, "SlowDown")
		case r.Header.Get("If-None-Match") != "" && f.roll(30, "S3: 412 although there is no object"):
			return refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
		case r.Method == http.MethodPut && f.roll(50, "S3: reset in the middle of an upload"):
			_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
			cutConnection(w)
			return true
		}
		return false
	}, func(r *http.Response) error {
		switch {
		case r.Request.Method == http.MethodPut && f.roll(40, "S3: answer to an upload lost"):
			return errLost
		case r.Request.Method == http.MethodGet && r.StatusCode == http.StatusOK && f.roll(40, "S3: reset in the middle of a download"):
			r.Body = &cutBody{ReadCloser: r.Body, left: r.ContentLength / 2}
		}
		return nil
	})
}

// cutBody is a body that breaks.
type cutBody struct {
	io.ReadCloser
	left int64
}

func (c *cutBody) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// submits notes which Databricks runs each idempotency token has got.
type submits struct {
	mu   sync.Mutex
	runs map[string]map[int64]bool // by token
}

// chaosDatabricks is a proxy before the workspace.
func chaosDatabricks(t *testing.T, upstream string, f *faults, seen *submits) string {
	return chaosProxy(t, upstream, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/jobs/runs/submit") {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				cutConnection(w)
				return true
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			var submit struct {
				Token string `json:"idempotency_token"`
			}
			_ = json.Unmarshal(body, &submit) // without a token the test fails at its end
			r.Header.Set("X-Chaos-Token", submit.Token)
		}
		switch {
		case f.roll(25, "Databricks: 429"):
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"chaos"}`)
			return true
		case f.roll(25, "Databricks: 503"):
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"error_code":"TEMPORARILY_UNAVAILABLE","message":"chaos"}`)
			return true
		case f.roll(60, "Databricks: hangs"):
			time.Sleep(time.Duration(f.between(1000, 4000)) * time.Millisecond)
			cutConnection(w)
			return true
		}
		return false
	}, func(r *http.Response) error {
		token := r.Request.Header.Get("X-Chaos-Token")
		if token == "" || r.StatusCode != http.StatusOK {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var started struct {
			RunID int64 `json:"run_id"`
		}
		if err := json.Unmarshal(body, &started); err != nil {
			return err
		}
		seen.mu.Lock()
		if seen.runs[token] == nil {
			seen.runs[token] = map[int64]bool{}
		}
		seen.runs[token][started.RunID] = true
		seen.mu.Unlock()
		if f.roll(4, "Databricks: answer to a submit lost") {
			return errLost
		}
		return nil
	})
}
