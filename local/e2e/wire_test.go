package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/reference"
)

var kinds = []string{"pin", "geo", "user"}

// wireRecords are the posts of these tests: the real ones where they are, else generated ones,
// judged by the reference.
type wireRecords struct{ dir string }

var wire = wireRecords{reference.SharedPosts()}

func (w wireRecords) name() string {
	if w.dir == "" {
		return "generated, judged by the reference implementation"
	}
	return "real, judged by " + filepath.Join(w.dir, "expected.json")
}

// posts returns a directory with pin.jsonl, geo.jsonl and user.jsonl.
func (w wireRecords) posts(t *testing.T) string {
	t.Helper()
	if w.dir != "" {
		return w.dir
	}
	dir := t.TempDir()
	for kind, lines := range reference.Generate(100, 1300) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, kind+".jsonl"), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	}
	return dir
}

// lines returns the records of each kind.
func (w wireRecords) lines(t *testing.T) map[string][]string {
	t.Helper()
	dir, all := w.posts(t), map[string][]string{}
	for _, kind := range kinds {
		content, err := os.ReadFile(filepath.Join(dir, kind+".jsonl"))
		require.NoError(t, err)
		all[kind] = strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	}
	return all
}

// expected is what the pipeline must answer if each record is sent so many times.
func (w wireRecords) expected(t *testing.T, times int) reference.Expected {
	t.Helper()
	var want reference.Expected
	if w.dir != "" {
		content, err := os.ReadFile(filepath.Join(w.dir, "expected.json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(content, &want))
	} else {
		var records []reference.Record
		for kind, lines := range w.lines(t) {
			for i, line := range lines {
				value := []byte(line)
				if !json.Valid(value) { // it is sent as a JSON string
					quoted, err := json.Marshal(line)
					require.NoError(t, err)
					value = quoted
				}
				records = append(records, reference.Record{Kind: kind, Offset: int64(i), Timestamp: int64(i), Value: value})
			}
		}
		want = reference.Answers(records, reference.Options{})
	}
	for reason := range want.Rejected { // each sending of a record that is refused is quarantined at its own place
		want.Rejected[reason] *= times
	}
	return want
}

// requireAnswers compares an answers.json with what is expected, as JSON values. A build may have
// tasks that rebuild other tables, too.
func requireAnswers(t *testing.T, want reference.Expected, file string) {
	t.Helper()
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	expected, err := json.Marshal(want)
	require.NoError(t, err)
	var wantValue, gotValue any
	require.NoError(t, json.Unmarshal(expected, &wantValue))
	require.NoError(t, json.Unmarshal(got, &gotValue))
	tables := gotValue.(map[string]any)["answers"].(map[string]any)
	maps.DeleteFunc(tables, func(table string, _ any) bool { _, known := want.Answers[table]; return !known })
	require.Equal(t, indented(t, wantValue), indented(t, gotValue))
}

func indented(t *testing.T, value any) string {
	t.Helper()
	b, err := json.MarshalIndent(value, "", " ")
	require.NoError(t, err)
	return string(b)
}

// post sends records through the gateway as the emulation does. It takes them from each kind's
// lines by the part of the whole.
func (s *system) post(lines map[string][]string, part, parts int) {
	s.t.Helper()
	dir := s.t.TempDir()
	for _, kind := range kinds {
		all := lines[kind]
		text := strings.Join(all[len(all)*part/parts:len(all)*(part+1)/parts], "\n") + "\n"
		require.NoError(s.t, os.WriteFile(filepath.Join(dir, kind+".jsonl"), []byte(text), 0o644))
	}
	s.must("emulate", "--posts", dir, "--data", s.t.TempDir())
}

// request asks the gateway, with the first key of the settings.
func (s *system) request(method, path, contentType string, body []byte) (int, string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.setting("PINFLOW_GATEWAY_URL")+path, bytes.NewReader(body))
	require.NoError(s.t, err)
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("x-api-key", s.setting("PINFLOW_API_KEYS"))
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	defer drain(response.Body)
	var answer bytes.Buffer
	_, err = answer.ReadFrom(response.Body)
	require.NoError(s.t, err)
	return response.StatusCode, answer.String()
}

// status asks an address and returns the HTTP status, 0 if nothing answers.
func status(url string) int {
	response, err := http.Get(url)
	if err != nil {
		return 0
	}
	defer drain(response.Body)
	return response.StatusCode
}
