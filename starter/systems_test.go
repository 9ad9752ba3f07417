package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/doctor"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/setup"
	"github.com/pinflow/pinflow/starter/startertest"
)

// bare is a world in which nothing is set up.
func bare() *world {
	w := newWorld()
	w.bucket.exists, w.sql.schema = false, false
	return w
}

// outcomes are what the steps of a setup did.
func outcomes(t *testing.T, stdout string) (all []control.Outcome) {
	var steps []setup.Step
	require.NoError(t, json.Unmarshal([]byte(stdout), &steps))
	for _, step := range steps {
		all = append(all, step.Outcome)
	}
	return all
}

func TestSetup(t *testing.T) {
	t.Parallel()
	t.Run("makes_everything_once", func(t *testing.T) {
		t.Parallel()
		w := bare()
		code, stdout, stderr := w.starter(t, "setup")
		require.Zero(t, code, stderr)
		golden(t, "setup", stdout)
		require.Len(t, w.topics.there, 4, "the kinds, and posts")
		require.True(t, w.bucket.exists)
		require.Len(t, w.temporal.attributes, len(search.Attributes()))
		require.True(t, w.sql.schema)
		require.Len(t, w.notes.sources, len(startertest.Notebooks))
		require.NotNil(t, w.schedule())

		code, stdout, _ = w.starter(t, "setup", "-o", "json")
		require.Zero(t, code)
		require.Equal(t, []control.Outcome{control.Unchanged, control.Unchanged, control.Unchanged, control.Unchanged, control.Unchanged, control.Unchanged}, outcomes(t, stdout))
	})

	t.Run("refuses_a_schema_of_another_build_or_user_id", func(t *testing.T) {
		t.Parallel()
		for want, columns := range map[string][]string{
			"DROP TABLE `pinterest`.`pin_by_date`": {"ind", "topic"}, // notebooks insert by position
			"PINFLOW_USER_ID":                      {"topic", "ind"},
		} {
			w := newWorld()
			w.holds("ann.pin", columns...)
			code, _, stderr := w.starter(t, "setup")
			require.Equal(t, exit.Failed, code)
			require.Contains(t, stderr, "setup of schema: ")
			require.Contains(t, stderr, want)
			require.Empty(t, w.notes.sources, "no notebook of this build is pushed to run on those tables")
		}
	})

	t.Run("makes_what_is_missing_or_wrong", func(t *testing.T) {
		t.Parallel()
		w := bare()
		w.starter(t, "setup")
		w.topics.there = w.topics.there[:2]
		delete(w.temporal.attributes, "PinflowState")
		w.temporal.countErrs = []error{serviceerror.NewInvalidArgument("PinflowState is not defined"), serviceerror.NewInvalidArgument("still not")}
		w.notes.sources["/Shared/pinflow/query"] = "-- Databricks notebook source\nSELECT 1"
		w.schedule().Spec.Calendars[0].Hour = []client.ScheduleRange{{Start: 3}}
		code, stdout, stderr := w.starter(t, "setup", "-o", "json")
		require.Zero(t, code, stderr)
		require.Equal(t, []control.Outcome{control.Created, control.Unchanged, control.Created, control.Unchanged, control.Changed, control.Changed}, outcomes(t, stdout))
		require.Empty(t, w.temporal.countErrs, "it waits until the attributes can be used")
	})

	t.Run("stops_at_what_it_cannot_do", func(t *testing.T) {
		t.Parallel()
		for name, row := range map[string]struct {
			change func(*world)
			code   int
			want   string
			done   string // the last step that was done
		}{
			"attribute of another type": {func(w *world) { w.temporal.attributes["PinflowDate"] = enumspb.INDEXED_VALUE_TYPE_TEXT }, exit.Failed, "PinflowDate", "bucket"},
			"closed operator API": {func(w *world) { w.temporal.err = serviceerror.NewUnimplemented("unknown service") }, exit.Failed,
				"add them on its page in Temporal Cloud: PinflowDag (Keyword)", "bucket"},
			"no warehouse": {func(w *world) {
				w.sql.err = &apierr.APIError{StatusCode: 400, Message: "w1 is not a valid endpoint id."}
			}, exit.Failed, "w1 is not a valid endpoint id", "search attributes"},
			"wrong token": {func(w *world) { w.sql.err = &apierr.APIError{StatusCode: 403, Message: "Invalid access token."} }, exit.Unreachable, "DATABRICKS_TOKEN", "search attributes"},
			"no folder":   {func(w *world) { w.notes.err = errors.New("a file is in the way") }, exit.Failed, "setup of notebooks", "schema"},
		} {
			t.Run(name, func(t *testing.T) {
				w := bare()
				row.change(w)
				code, stdout, stderr := w.starter(t, "setup")
				require.Equal(t, row.code, code, stderr)
				require.Contains(t, stderr, row.want)
				lines := strings.Split(strings.TrimSpace(stdout), "\n")
				require.Contains(t, lines[len(lines)-1], row.done)
			})
		}
	})
}

// ready is a world in which everything is set up and runs.
func ready(t *testing.T) *world {
	w := bare()
	code, _, stderr := w.starter(t, "setup")
	require.Zero(t, code, stderr)
	w.temporal.info.NextActionTimes = append(w.temporal.info.NextActionTimes, noon)
	return w
}

// holds makes a table of the schema, with these columns and a record of the topic.
func (w *world) holds(topic string, columns ...string) {
	for _, name := range columns {
		w.sql.columns = append(w.sql.columns, sql.ColumnInfo{Name: name})
	}
	w.sql.results["SELECT * FROM `pinterest`.`pin_by_date` LIMIT 0"] = nil
	w.sql.results["SELECT topic FROM `pinterest`.`pin_by_date` WHERE topic NOT IN ('pinflow.pin', 'Pinterest_data')"] = [][]string{{topic}}
}

// writes returns a Databricks run with which a deployment writes a schema.
func writes(deployment run.Deployment, schema string) jobs.BaseRun {
	notebook := &jobs.NotebookTask{BaseParameters: map[string]string{"schema": schema, "raw_path": "s3://pinflow/" + string(deployment)}}
	return jobs.BaseRun{
		RunName: deployment.JobRunName(pipeline, "2022-10-18", "load", 1), RunPageUrl: "https://workspace/" + string(deployment),
		Tasks: []jobs.RunTask{{TaskKey: "load-1", NotebookTask: notebook}},
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	t.Run("finds_nothing_where_all_is_well", func(t *testing.T) {
		t.Parallel()
		w := ready(t)
		code, stdout, stderr := w.starter(t, "doctor")
		require.Zero(t, code, stdout+stderr)
		golden(t, "doctor", stdout)
	})

	t.Run("says_what_is_wrong_and_what_to_do", func(t *testing.T) {
		t.Parallel()
		refused := serviceerror.NewUnavailable("connection refused")
		for name, row := range map[string]struct {
			change func(*world)
			code   int
			want   []string // of the line that fails
		}{
			"no Temporal":           {func(w *world) { w.temporal.err = refused }, exit.Unreachable, []string{"Temporal", "make stack"}},
			"no namespace":          {func(w *world) { w.temporal.err = serviceerror.NewNamespaceNotFound("default") }, exit.Unreachable, []string{"Temporal", "TEMPORAL_NAMESPACE"}},
			"no attributes":         {func(w *world) { clear(w.temporal.attributes) }, exit.Failed, []string{"search attributes", "7 are missing", "starter setup"}},
			"no schedule":           {func(w *world) { delete(w.temporal.schedules, run.DefaultDeployment.ScheduleID(pipeline)) }, exit.Failed, []string{"schedule", "starter schedule apply"}},
			"other schedule":        {func(w *world) { w.schedule().Spec.TimeZoneName = "Asia/Tokyo" }, exit.Failed, []string{"schedule", "starter schedule apply"}},
			"no worker":             {func(w *world) { w.temporal.pollers = nil }, exit.Failed, []string{"worker", "bin/workers"}},
			"a worker that is gone": {func(w *world) { w.now = noon.Add(10 * time.Second) }, exit.Failed, []string{"worker", "bin/workers"}},
			"no Kafka":              {func(w *world) { w.down["kafka"] = errors.New("dial tcp: refused") }, exit.Unreachable, []string{"Kafka", "PINFLOW_KAFKA_BROKERS"}},
			"no topic":              {func(w *world) { w.topics.there = w.topics.there[1:] }, exit.Failed, []string{"Kafka", "pinflow.pin missing", "starter setup"}},
			"no bucket":             {func(w *world) { w.bucket.exists = false }, exit.Failed, []string{"S3", "does not have the bucket", "starter setup"}},
			"wrong token":           {func(w *world) { w.user = &apierr.APIError{StatusCode: 403, Message: "Invalid access token."} }, exit.Unreachable, []string{"token", "DATABRICKS_TOKEN"}},
			"busy Databricks":       {func(w *world) { w.user = &apierr.APIError{StatusCode: 503, Message: "try later"} }, exit.Unreachable, []string{"token", "try again later"}},
			"other notebooks":       {func(w *world) { clear(w.notes.sources) }, exit.Failed, []string{"notebooks", "differ", "starter notebooks push"}},
			"no schema":             {func(w *world) { w.sql.schema = false }, exit.Failed, []string{"schema", "pinterest", "starter setup"}},
			"shared schema": {func(w *world) {
				w.runs = &fakeJobs{listed: []jobs.BaseRun{writes("pinflow", "pinterest"), writes("dev", "dev"), writes("dev", "pinterest")}}
			}, exit.Failed, []string{"schema", "deployment dev writes schema pinterest", "https://workspace/dev", "PINFLOW_SCHEMA"}},
			"same name": {func(w *world) {
				w.settings.Bucket = "new"
				w.runs = &fakeJobs{listed: []jobs.BaseRun{writes("pinflow", "pinterest")}}
			}, exit.Failed, []string{"schema", "another installation in the workspace is named pinflow, too, with the bucket s3://pinflow/pinflow", "PINFLOW_DEPLOYMENT"}},
			"tables of another build": {func(w *world) { w.holds("pinflow.pin", "topic") }, exit.Failed, []string{
				"schema", "pin_by_date lacks ind", "DROP TABLE `pinterest`.`pin_by_date`", "starter backfill",
			}},
			"another user id": {func(w *world) { w.holds("ann.pin", "topic", "ind") }, exit.Failed, []string{
				"schema", "records of topic ann.pin", "PINFLOW_SCHEMA", "PINFLOW_USER_ID",
			}},
			"no API key": {func(w *world) { w.settings.APIKeys = nil }, exit.Failed, []string{"gateway", "API key", "PINFLOW_API_KEYS is empty"}},
			"wrong API key": {func(w *world) {
				w.gateway = func(r *http.Request) (*http.Response, error) {
					if r.URL.Path == "/healthz" {
						return &http.Response{StatusCode: 200, Status: "200 OK", Body: http.NoBody}, nil
					}
					return &http.Response{StatusCode: 403, Status: "403 Forbidden", Body: http.NoBody}, nil
				}
			}, exit.Failed, []string{"gateway", "API key", "PINFLOW_API_KEYS", "403"}},
			"no gateway": {func(w *world) {
				w.gateway = func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }
			}, exit.Unreachable, []string{"gateway", "bin/gateway"}},
			"an unhealthy gateway": {func(w *world) {
				w.gateway = func(*http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: 503, Status: "503 Service Unavailable", Body: http.NoBody}, nil
				}
			}, exit.Failed, []string{"gateway", "503"}},
		} {
			t.Run(name, func(t *testing.T) {
				w := ready(t)
				row.change(w)
				code, stdout, _ := w.starter(t, "doctor")
				require.Equal(t, row.code, code, stdout)
				var fails []string
				for line := range strings.Lines(stdout) {
					if strings.HasPrefix(line, "FAIL") {
						fails = append(fails, line)
					}
				}
				require.Len(t, fails, 1, stdout)
				for _, want := range row.want {
					require.Contains(t, fails[0], want)
				}
				code, stdout, _ = w.starter(t, "doctor", "-o", "json")
				require.Equal(t, row.code, code)
				var all []doctor.Finding
				require.NoError(t, json.Unmarshal([]byte(stdout), &all))
			})
		}
	})
}

// answered is a world with answers: the same row in each table.
func answered() *world {
	w := newWorld()
	w.sql.results["FROM `pinterest`.`most_popular_category_by_country`"] = [][]string{{"Åland", "art, modern", "2"}, {"Albania", "art", "11"}}
	w.sql.results["FROM `pinterest`.`median_followers_by_age_group`"] = [][]string{{"50+", "2.5"}, {"18-24", "106000.0"}}
	return w
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	t.Run("are_shown_in_each_form", func(t *testing.T) {
		t.Parallel()
		for _, form := range []string{"table", "json", "csv"} {
			code, stdout, stderr := answered().starter(t, "answers", "most_popular_category_by_country", "-o", form)
			require.Zero(t, code, stderr)
			golden(t, "answers-"+form, stdout)
		}
		_, stdout, _ := answered().starter(t, "answers", "median_followers_by_age_group", "-o", "csv")
		require.Equal(t, "age_group,median_follower_count\n18-24,106000\n50+,2.5\n", stdout)
	})

	t.Run("are_written_as_a_page", func(t *testing.T) {
		t.Parallel()
		w := answered()
		for _, kind := range startertest.Catalog.DAGs[0].DAG.Cleaned() {
			w.sql.results["FROM `pinterest`.`"+kind+"_quarantine`"] = [][]string{{"follower_count", "3"}, {"", "200"}}
		}
		w.ledgered(t, "2022-10-17", run.Success, func(e *ledger.Entry) {
			e.RunID, e.Tasks = "rebuilt-it", []run.Task{{ID: "query", State: run.Success, Ended: e.Ended}}
		})
		code, stdout, stderr := w.starter(t, "answers", "most_popular_category_by_country", "-o", "html")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "<th scope=\"row\">Åland</th><td>art, modern</td><td class=\"n\">2</td>")
		require.Contains(t, stdout, "rebuilt-it")
		require.Contains(t, stdout, "1.5 %")
		require.NotContains(t, stdout, "median_followers_by_age_group", "one table was asked for")

		code, stdout, stderr = newWorld().starter(t, "answers", "-o", "html")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, "no answers yet")
		require.Empty(t, stdout, "no half of a page")
	})

	t.Run("say_what_to_do_before_the_first_run", func(t *testing.T) {
		t.Parallel()
		for _, line := range []string{"answers", "answers -o json", "answers users_joined_by_year"} {
			code, stdout, stderr := newWorld().starter(t, strings.Fields(line)...)
			require.Equal(t, exit.Failed, code)
			require.Contains(t, stderr, "no answers yet")
			require.Contains(t, stderr, "starter run")
			require.Empty(t, stdout)
		}
	})
}

func TestNotebooksSystems(t *testing.T) {
	t.Parallel()
	t.Run("are_pushed_once_and_compared", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		code, stdout, _ := w.starter(t, "notebooks", "diff")
		require.Equal(t, exit.Failed, code, "something differs")
		require.Contains(t, stdout, "+++ notebooks/query.sql")
		require.Empty(t, w.notes.sources)

		code, stdout, _ = w.starter(t, "notebooks", "push")
		require.Zero(t, code)
		require.Regexp(t, `query +new +/Shared/pinflow/query`, stdout)

		w.notes.sources["/Shared/pinflow/query"] = "-- Databricks notebook source\nSELECT 1"
		code, stdout, _ = w.starter(t, "notebooks", "diff", "-o", "json")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, `"state": "changed"`)
		_, stdout, _ = w.starter(t, "notebooks", "push")
		require.Regexp(t, `query +changed`, stdout)
		require.Regexp(t, `load +same`, stdout)
		code, stdout, _ = w.starter(t, "notebooks", "diff")
		require.Zero(t, code)
		require.NotContains(t, stdout, "changed")
	})
}
