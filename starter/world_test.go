package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/notebooks"
	"github.com/pinflow/pinflow/starter/imports"
	"github.com/pinflow/pinflow/starter/startertest"
	"github.com/pinflow/pinflow/starter/systems"
	"github.com/pinflow/pinflow/starter/term"
)

// pipeline is the name of the DAG of these tests.
const pipeline = "pipeline"

// buildID names the build of the starter of these tests.
const buildID = "0.1.0+abcdef1"

// noon is the time of the world: the day after 2022-10-18.
var noon = startertest.Noon

// at returns a moment of the day on which the runs of these tests take place.
func at(seconds int) time.Time { return startertest.At(seconds) }

// golden compares a text with a golden file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	startertest.Golden(t, name, got)
}

// world is all that the starter can reach, in memory.
type world struct {
	now       time.Time
	catalog   dag.Catalog
	operators error // of the check of operators
	settings  config.Config
	// load reads real settings instead of those above, if it is set.
	load       func(files ...string) (config.Config, error)
	patience   time.Duration // with the gateway
	temporal   *fakeTemporal
	topics     *fakeTopics
	records    systems.Records
	bucket     *fakeBucket
	old        imports.Source // the bucket of another pipeline
	notes      *fakeNotebooks
	dashboards *fakeDashboards
	trials     *fakeTrials
	notebooks  []notebooks.Notebook
	sql        *fakeSQL
	gateway    func(*http.Request) (*http.Response, error)
	user       error // of the question who is asking
	down       map[string]error
	mu         sync.Mutex
	touched    []string // the systems that were connected to
	color      bool
	runs       systems.JobRuns // of Databricks
	live       bool            // stderr is a terminal
	typed      string          // what the operator types; there is no terminal to ask at if it is empty
}

func newWorld() *world {
	return &world{
		now: noon, catalog: startertest.Catalog, settings: defaultSettings(), temporal: newFakeTemporal(), topics: &fakeTopics{}, records: &fakeRecords{}, bucket: newFakeBucket(),
		dashboards: &fakeDashboards{}, trials: &fakeTrials{}, notebooks: startertest.Notebooks,
		notes: &fakeNotebooks{sources: map[string]string{}}, sql: &fakeSQL{schema: true, results: map[string][][]string{}},
		down: map[string]error{}, runs: &fakeJobs{},
		gateway: func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Status: "200 OK", Body: http.NoBody}, nil
		},
	}
}

// defaultSettings are those of an empty environment, with what has no default.
func defaultSettings() config.Config {
	return config.Config{
		Deployment: run.DefaultDeployment, UserID: "pinflow", Brokers: []string{"127.0.0.1:9092"}, Partitions: 3, Bucket: "pinflow", Schema: "pinterest", Notebooks: "/Shared/pinflow",
		Compute: "serverless", Warehouse: "w1", InvalidFollowers: "quarantine", GatewayURL: "http://127.0.0.1:8082", APIKeys: []string{"key"},
		UIURL: "http://ui:8233",
	}
}

// RoundTrip makes the world a transport of HTTP.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) { return w.gateway(r) }

// touch records that a system was connected to.
func (w *world) touch(system string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.touched = append(w.touched, system)
	return w.down[system]
}

// starter runs a command line in this world.
func (w *world) starter(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = w.app(&out, &errs).Main(t.Context(), args)
	return code, out.String(), errs.String()
}

// line runs a command line whose arguments have no blanks.
func (w *world) line(t *testing.T, line string) (code int, stdout, stderr string) {
	t.Helper()
	return w.starter(t, strings.Fields(line)...)
}

// app returns the starter in this world. No command waits: the clock's timers have fired.
func (w *world) app(out, errs *bytes.Buffer) *app {
	fired := make(chan time.Time)
	close(fired)
	return &app{
		Term: &term.Term{
			In: strings.NewReader(w.typed), Out: out, Err: errs, Color: w.color, Live: w.live, Interactive: w.typed != "",
			Now: func() time.Time { return w.now }, After: func(time.Duration) <-chan time.Time { return fired },
		},
		catalog:        w.catalog,
		checkOperators: func(dag.Catalog) error { return w.operators },
		notebooks:      w.notebooks,
		buildID:        buildID,
		operator:       func() string { return "ann@desk" },
		patience:       w.patience,
		load: func(files ...string) (config.Config, error) {
			if w.load != nil {
				return w.load(files...)
			}
			return w.settings, nil
		},
		systems: systems.Systems{
			Temporal: func(context.Context) (*temporal.Connection, error) {
				return newWorldConnection(w), w.touch("temporal")
			},
			Workspace: func() (*systems.Workspace, error) {
				return &systems.Workspace{
					Host: "https://workspace", Statements: w.sql, Notebooks: w.notes, Runs: w.runs, Dashboards: w.dashboards, Tree: w.dashboards, TrialTree: w.trials, TrialRuns: w.trials,
					User: func(context.Context) (string, error) { return "ann@example.com", w.user },
				}, w.touch("workspace")
			},
			Topics: func(context.Context, config.Config) (systems.Topics, error) {
				w.topics.err = w.touch("kafka")
				return w.topics, nil
			},
			Records: func(context.Context, config.Config) (systems.Records, error) { return w.records, w.touch("kafka") },
			Bucket:  func(context.Context, config.Config) (systems.Bucket, error) { return w.bucket, w.touch("bucket") },
			Source:  func(context.Context, config.Config, string) (imports.Source, error) { return w.old, w.touch("source") },
			HTTP:    &http.Client{Transport: w},
		},
	}
}

// newWorldConnection connects to the world's Temporal.
func newWorldConnection(w *world) *temporal.Connection {
	return &temporal.Connection{Client: w.temporal, Address: "temporal:7233", Namespace: "default"}
}

// put writes an object, as JSON.
func (w *world) put(t *testing.T, key string, value any) {
	t.Helper()
	body, err := json.Marshal(value)
	require.NoError(t, err)
	w.write(t, key, body)
}

func (w *world) write(t *testing.T, key string, body []byte) {
	t.Helper()
	require.NoError(t, w.bucket.Memory.Put(t.Context(), bucket.PutInput{Key: key, Body: body}))
}

// fakeTopics keeps topics by name.
type fakeTopics struct {
	there     []kafka.TopicInfo
	different []kafka.Difference
	allowed   *kafka.Permissions // all if nil
	listener  kafka.Listener
	err       error
}

func (f *fakeTopics) CompareTopics(_ context.Context, all ...kafka.Topic) (missing []string, different []kafka.Difference, _ error) {
	for _, topic := range all {
		if !slices.ContainsFunc(f.there, func(t kafka.TopicInfo) bool { return t.Name == topic.Name }) {
			missing = append(missing, topic.Name)
		}
	}
	return missing, f.different, f.err
}

func (f *fakeTopics) ChangeTopics(_ context.Context, all ...kafka.Difference) error {
	f.different = slices.DeleteFunc(f.different, func(d kafka.Difference) bool { return !d.Kept && slices.Contains(all, d) })
	return f.err
}

func (f *fakeTopics) Inspect(context.Context) (kafka.Listener, error) {
	if f.listener.Address == "" {
		return f.listener, errors.New("no listener")
	}
	return f.listener, nil
}

// Permissions allows everything on the topics that exist, unless the test says something else.
func (f *fakeTopics) Permissions(_ context.Context, topics []string, _ string) (kafka.Permissions, error) {
	if f.allowed != nil {
		return *f.allowed, f.err
	}
	every := map[kafka.Operation]bool{kafka.Read: true, kafka.Write: true, kafka.Describe: true, kafka.DescribeConfigs: true, kafka.AlterConfigs: true}
	found := kafka.Permissions{Known: true, Group: every, Topics: map[string]map[kafka.Operation]bool{}}
	for _, topic := range f.there {
		if slices.Contains(topics, topic.Name) {
			found.Topics[topic.Name] = every
		}
	}
	return found, f.err
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

// fakeBucket is a bucket in memory that may not exist yet.
type fakeBucket struct {
	*buckettest.Memory
	mu     sync.Mutex
	exists bool
}

func newFakeBucket() *fakeBucket { return &fakeBucket{Memory: buckettest.New(), exists: true} }

func (f *fakeBucket) EnsureBucket(context.Context) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	created := !f.exists
	f.exists = true
	return created, nil
}

func (f *fakeBucket) Put(ctx context.Context, object bucket.PutInput) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.exists {
		return &smithy.GenericAPIError{Code: "NoSuchBucket", Message: "The specified bucket does not exist"}
	}
	return f.Memory.Put(ctx, object)
}
