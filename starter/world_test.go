package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/sql"
	databricksworkspace "github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// world is all that the starter can reach, in memory.
type world struct {
	now      time.Time
	temporal *fakeTemporal
	topics   *fakeTopics
	bucket   *fakeBucket
	notes    *fakeNotebooks
	sql      *fakeSQL
	gateway  func(*http.Request) (*http.Response, error)
	user     error // of the question who is asking
	down     map[string]error
	mu       sync.Mutex
	touched  []string // the systems that were connected to
	colour   bool
	runs     jobRuns // of Databricks
	live     bool    // stderr is a terminal
	typed    string  // what somebody types who can be asked; nobody can if it is empty
}

// noon is the time of the world: the day after 2022-10-18.
var noon = time.Date(2022, 10, 19, 12, 0, 0, 0, time.UTC)

func newWorld() *world {
	return &world{
		now: noon, temporal: newFakeTemporal(), topics: &fakeTopics{}, bucket: &fakeBucket{exists: true, objects: map[string][]byte{}},
		notes: &fakeNotebooks{sources: map[string]string{}}, sql: &fakeSQL{schema: true, results: map[string][][]string{}},
		down: map[string]error{},
		gateway: func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Status: "200 OK", Body: http.NoBody}, nil
		},
	}
}

// RoundTrip makes the world a transport of HTTP.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) { return w.gateway(r) }

// starter runs a command line in this world.
func (w *world) starter(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	touch := func(system string) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.touched = append(w.touched, system)
		return w.down[system]
	}
	ready := make(chan time.Time)
	close(ready)
	a := &app{
		operator: func() string { return "ann@desk" },
		stdin:    strings.NewReader(w.typed), stdout: &out, stderr: &errs, colour: w.colour, live: w.live, asks: w.typed != "",
		now: func() time.Time { return w.now }, after: func(time.Duration) <-chan time.Time { return ready },
		connect: connectors{
			temporal: func(context.Context) (*temporal.Connection, error) {
				return newWorldConnection(w), touch("temporal")
			},
			workspace: func() (*workspace, error) {
				return &workspace{host: "https://workspace", statements: w.sql, notebooks: w.notes, runs: w.runs,
					user: func(context.Context) (string, error) { return "ann@example.com", w.user }}, touch("workspace")
			},
			topics: func(config.Config) topics { w.topics.err = touch("kafka"); return w.topics },
			bucket: func(context.Context, config.Config) (bucketClient, error) { return w.bucket, touch("bucket") },
			http:   &http.Client{Transport: w},
		},
	}
	t.Chdir(t.TempDir()) // no settings files
	t.Setenv("PINFLOW_WAREHOUSE_ID", "w1")
	t.Setenv("PINFLOW_TEMPORAL_UI_URL", "http://ui:8233")
	code = a.Main(t.Context(), args)
	return code, out.String(), errs.String()
}

// newWorldConnection connects to the world's Temporal.
func newWorldConnection(w *world) *temporal.Connection {
	return &temporal.Connection{Client: w.temporal, Address: "temporal:7233", Namespace: "default"}
}

// golden compares a text with testdata/<name>.golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join(testdata, name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// testdata is absolute: tests change the directory.
var testdata = func() string {
	dir, err := filepath.Abs("testdata")
	if err != nil {
		panic(err)
	}
	return dir
}()

// fakeTopics keeps topics by name.
type fakeTopics struct {
	there []kafka.TopicInfo
	err   error
}

func (f *fakeTopics) CreateTopics(_ context.Context, all ...kafka.Topic) (created []string, _ error) {
	for _, topic := range all {
		if topic.Config["message.timestamp.type"] != "LogAppendTime" {
			return nil, errors.New("the producer's clock would decide about the date")
		}
		if !slices.ContainsFunc(f.there, func(t kafka.TopicInfo) bool { return t.Name == topic.Name }) {
			f.there = append(f.there, kafka.TopicInfo{Name: topic.Name, Partitions: topic.Partitions})
			created = append(created, topic.Name)
		}
	}
	return created, f.err
}

func (f *fakeTopics) ListTopics(context.Context) ([]kafka.TopicInfo, error) { return f.there, f.err }

// fakeBucket keeps objects by key.
type fakeBucket struct {
	bucket.Objects
	exists  bool
	objects map[string][]byte
	onList  func()     // is called before each listing
	mu      sync.Mutex // of the objects: the doctor looks at several things at once
}

func (f *fakeBucket) URI(key string) string { return "s3://pinflow/" + key }

func (f *fakeBucket) EnsureBucket(context.Context) (bool, error) {
	created := !f.exists
	f.exists = true
	return created, nil
}

func (f *fakeBucket) Get(_ context.Context, key string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, ok := f.objects[key]
	if !ok {
		return nil, bucket.ErrNotFound
	}
	return body, nil
}

func (f *fakeBucket) Put(_ context.Context, object bucket.PutInput) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.exists {
		return errors.New("put: api error NoSuchBucket")
	}
	f.objects[object.Key] = object.Body
	return nil
}

func (f *fakeBucket) List(_ context.Context, list bucket.ListInput) (all []bucket.Object, _ error) {
	if f.onList != nil {
		f.onList()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.objects {
		if strings.HasPrefix(key, list.Prefix) && key > list.After && (list.Before == "" || key < list.Before) {
			all = append(all, bucket.Object{Key: key, Size: int64(len(f.objects[key]))})
		}
	}
	slices.SortFunc(all, func(a, b bucket.Object) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// fakeNotebooks keeps notebooks by path.
type fakeNotebooks struct {
	mu      sync.Mutex
	sources map[string]string
	err     error
}

func (f *fakeNotebooks) Export(_ context.Context, r databricksworkspace.ExportRequest) (*databricksworkspace.ExportResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	source, ok := f.sources[r.Path]
	if f.err != nil || !ok {
		return nil, errors.Join(f.err, &apierr.APIError{StatusCode: 404, ErrorCode: "RESOURCE_DOES_NOT_EXIST", Message: path.Base(r.Path) + " doesn't exist."})
	}
	return &databricksworkspace.ExportResponse{Content: base64.StdEncoding.EncodeToString([]byte(source))}, nil
}

func (f *fakeNotebooks) Import(_ context.Context, r databricksworkspace.Import) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	source, err := base64.StdEncoding.DecodeString(r.Content)
	f.sources[r.Path] = string(source)
	return err
}

func (f *fakeNotebooks) MkdirsByPath(context.Context, string) error { return f.err }

// fakeSQL answers statements that end with a key of results; others fail, as tables that are not there do.
type fakeSQL struct {
	mu      sync.Mutex
	schema  bool
	results map[string][][]string
	err     error
}

func (f *fakeSQL) ExecuteStatement(_ context.Context, r sql.ExecuteStatementRequest) (*sql.StatementResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	succeeded := func(rows [][]string) (*sql.StatementResponse, error) {
		return &sql.StatementResponse{
			Status: &sql.StatementStatus{State: sql.StatementStateSucceeded}, Manifest: &sql.ResultManifest{TotalRowCount: int64(len(rows))},
			Result: &sql.ResultData{DataArray: rows},
		}, nil
	}
	switch {
	case strings.HasPrefix(r.Statement, "CREATE SCHEMA IF NOT EXISTS `pinterest`"):
		f.schema = true
		return succeeded(nil)
	case f.schema && strings.HasPrefix(r.Statement, "SHOW TABLES"):
		return succeeded(nil)
	}
	for statement, rows := range f.results {
		if strings.Contains(r.Statement, statement) {
			return succeeded(rows)
		}
	}
	return &sql.StatementResponse{Status: &sql.StatementStatus{State: sql.StatementStateFailed,
		Error: &sql.ServiceError{Message: fmt.Sprintf("[TABLE_OR_VIEW_NOT_FOUND] The table or view of %s cannot be found. SQLSTATE: 42P01", r.Statement)}}}, nil
}

func (f *fakeSQL) GetStatementByStatementId(context.Context, string) (*sql.StatementResponse, error) {
	return nil, errors.New("no statement is left to wait for")
}

func (f *fakeSQL) GetStatementResultChunkNByStatementIdAndChunkIndex(context.Context, string, int) (*sql.ResultData, error) {
	return nil, errors.New("no result has a second chunk")
}

func (f *fakeSQL) CancelExecution(context.Context, sql.CancelExecutionRequest) error { return nil }
