package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/config"
)

// emulateWith runs `starter emulate` against a gateway and returns what it printed.
func emulateWith(t *testing.T, gateway string, keys []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{stdout: &out, stderr: &errs, settings: config.Config{UserID: "u", GatewayURL: gateway, APIKeys: keys}}
	c := a.emulateCommand()
	c.Flags().StringVarP(&a.output, "output", "o", "", "") // the root's
	c.SetArgs(args)
	c.SilenceErrors, c.SilenceUsage = true, true
	err = c.ExecuteContext(context.Background())
	return out.String(), errs.String(), err
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

func TestEmulate_PostsResumesAndSaysWhenNothingIsLeft(t *testing.T) {
	url, records := acknowledgingGateway(t)
	dir, data := t.TempDir(), t.TempDir()
	for _, kind := range []string{"pin", "geo", "user"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, kind+".jsonl"), []byte("1\n2\n3\n"), 0o600))
	}
	out, _, err := emulateWith(t, url, []string{"key"}, "--posts", dir, "--data", data, "--count", "2")
	require.NoError(t, err)
	require.Contains(t, out, "Posted 6 records (pin 2, geo 2, user 2)")

	out, progress, err := emulateWith(t, url+"/", []string{"key"}, "--posts", dir, "--data", data, "--resume", "-o", "json")
	require.NoError(t, err)
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

	out, _, err = emulateWith(t, url, []string{"key"}, "--posts", dir, "--data", data, "--resume")
	require.NoError(t, err)
	require.Contains(t, out, "Nothing is left to post")
	require.EqualValues(t, 9, records.Load())
}

func TestEmulate_TellsUsageErrorsBeforeItPosts(t *testing.T) {
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
			_, _, err := emulateWith(t, url, c.keys, append(c.args, "--data", t.TempDir())...)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, exitUsage, exitCode(err))
		})
	}
	require.Zero(t, records.Load())
}
