package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/starter/exit"
)

// poster is a world whose gateway has the address.
func poster(gateway string) *world {
	w := newWorld()
	w.settings.GatewayURL = gateway
	return w
}

// acknowledgingGateway takes everything and counts the records.
func acknowledgingGateway(t *testing.T) (url string, records *atomic.Int64) {
	t.Helper()
	records = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Records []json.RawMessage }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		records.Add(int64(len(body.Records)))
		fmt.Fprintf(w, `{"offsets":[%s]}`, strings.TrimSuffix(strings.Repeat(`{"error_code":null},`, len(body.Records)), ","))
	}))
	t.Cleanup(server.Close)
	return server.URL, records
}

func TestEmulate(t *testing.T) {
	t.Parallel()
	t.Run("posts_resumes_and_says_when_nothing_is_left", func(t *testing.T) {
		t.Parallel()
		url, records := acknowledgingGateway(t)
		dir, data := t.TempDir(), t.TempDir()
		for _, kind := range []string{"pin", "geo", "user"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, kind+".jsonl"), []byte("1\n2\n3\n"), 0o600))
		}
		code, out, stderr := poster(url).starter(t, "emulate", "--posts", dir, "--data", data, "--count", "2")
		require.Zero(t, code, stderr)
		require.Contains(t, out, "Posted 6 records (pin 2, geo 2, user 2)")

		code, out, progress := poster(url+"/").starter(t, "emulate", "--posts", dir, "--data", data, "--resume", "-o", "json")
		require.Zero(t, code, progress)
		var result struct {
			Posts, Resumed int
			Records        map[string]int
			Source         string
		}
		require.NoError(t, json.Unmarshal([]byte(out), &result))
		require.Equal(t, 3, result.Posts)
		require.Equal(t, 6, result.Resumed)
		require.Equal(t, map[string]int{"pin": 1, "geo": 1, "user": 1}, result.Records)
		require.Contains(t, progress, "posting 9/9")

		code, out, stderr = poster(url).starter(t, "emulate", "--posts", dir, "--data", data, "--resume")
		require.Zero(t, code, stderr)
		require.Contains(t, out, "Nothing is left to post")
		require.EqualValues(t, 9, records.Load())
	})

	t.Run("tells_usage_errors_before_it_posts", func(t *testing.T) {
		t.Parallel()
		url, records := acknowledgingGateway(t)
		key := []string{"key"}
		for name, c := range map[string]struct {
			keys []string
			args []string
			says string
		}{
			"negative count":    {key, []string{"--count", "-1"}, "--count"},
			"negative rate":     {key, []string{"--rate", "-1"}, "--rate"},
			"batch of nothing":  {key, []string{"--batch", "0"}, "--batch"},
			"batch too large":   {key, []string{"--batch", "10001"}, "--batch"},
			"no API key":        {nil, nil, "PINFLOW_API_KEYS"},
			"no such directory": {key, []string{"--posts", filepath.Join(t.TempDir(), "none")}, "--posts"},
			"no database":       {key, []string{"--mysql"}, "PINFLOW_MYSQL_DSN"},
		} {
			t.Run(name, func(t *testing.T) {
				w := poster(url)
				w.settings.APIKeys = c.keys
				code, _, stderr := w.starter(t, append([]string{"emulate", "--data", t.TempDir()}, c.args...)...)
				require.Equal(t, exit.Usage, code)
				require.Contains(t, stderr, c.says)
			})
		}
		require.Zero(t, records.Load())
	})

	t.Run("gives_up_on_a_gateway_that_is_down", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close() // its port refuses connections
		w := poster(server.URL)
		w.patience = 100 * time.Millisecond // several tries
		code, stdout, stderr := w.starter(t, "emulate", "--count", "5", "--data", t.TempDir())
		require.Equal(t, exit.Unreachable, code)
		require.Empty(t, stdout)
		require.Equal(t, 1, strings.Count(stderr, "gateway is unavailable"), "an outage is reported once, not with each try: %s", stderr)
		require.Contains(t, stderr, "cannot reach the gateway at "+server.URL)
		require.Contains(t, stderr, "--resume")
	})
}
