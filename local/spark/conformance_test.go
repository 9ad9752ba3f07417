//go:build conformance

package spark_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/enginetest"
	"github.com/pinflow/pinflow/local/reference"
	"github.com/pinflow/pinflow/local/spark"
	"github.com/pinflow/pinflow/notebooks"
)

const (
	user    = reference.UserID
	monday  = "2022-10-17"
	tuesday = "2022-10-18"
)

// onSpark is the Spark of all tests. Its time zone is not UTC, which the notebooks must not notice.
var onSpark *spark.Engine

// objects are those that both engines read.
var objects = &enginetest.Objects{}

func TestMain(m *testing.M) {
	// Flags on the command line are parsed later, and win.
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(sequences), "rapid.seed": strconv.FormatInt(time.Now().UnixNano(), 10)} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	log, err := os.Create(filepath.Join(dir, "spark.log"))
	if err != nil {
		panic(err)
	}
	defer log.Close()
	onSpark, err = spark.Open(context.Background(), spark.Options{
		Home: os.Getenv("PINFLOW_SPARK"), Dir: dir, Objects: objects, Memory: "2g", TimeZone: "America/New_York", SmallTables: true, Log: log,
	})
	if err != nil {
		content, _ := os.ReadFile(log.Name()) // the error is reported all the same
		fmt.Fprintln(os.Stderr, err, string(content))
		return 1
	}
	defer onSpark.Close() //nolint:errcheck // its tables go with it
	return m.Run()
}

// land writes records as landing does, below a folder.
func land(folder string, records []reference.Record) {
	for _, r := range records {
		topic := r.Topic()
		key := fmt.Sprintf("s3://b/%s/topics/%s/dt=%s/partition=%d/%s+%d+0000000000.json", folder, topic, r.Date, r.Partition, topic, r.Partition)
		objects.Append(key, append(reference.Line(r), '\n'))
		empty := fmt.Sprintf("s3://b/%s/topics/%s/dt=%s/partition=9/%s+9+empty.json", folder, topic, r.Date, topic)
		objects.Append(empty, nil)
	}
}

// pipeline is a schema on both engines, and the folder of its landed objects.
type pipeline struct {
	t              *testing.T
	schema, folder string
	duck           *engine.Engine
	spark          *spark.Engine
}

func newPipeline(t *testing.T, onSpark *spark.Engine, schema, folder string) *pipeline {
	duck, err := engine.Open(t.Context(), engine.Options{Objects: objects, Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, duck.Close()) })
	p := &pipeline{t, schema, folder, duck, onSpark}
	for _, e := range p.engines() {
		_, err := e.Query(t.Context(), engine.Query{SQL: "CREATE SCHEMA `" + schema + "`"})
		require.NoError(t, err)
	}
	return p
}

func (p *pipeline) engines() map[string]enginetest.Engine {
	return map[string]enginetest.Engine{"the workspace": p.duck, "Spark": p.spark}
}

// run runs the notebooks of the daily DAG for a group of dates.
func (p *pipeline) run(invalid string, dates ...string) {
	for _, name := range []string{"load", "clean_pin", "clean_geo", "clean_user", "query"} {
		for _, n := range notebooks.All() {
			if n.Name != name {
				continue
			}
			for where, e := range p.engines() {
				_, err := e.RunNotebook(p.t.Context(), n.Source, map[string]string{
					"schema": p.schema, "raw_path": "s3://b/" + p.folder, "user_id": user, "posts_topic": reference.Topics.Name(reference.Post), "invalid_followers": invalid,
					"logical_dates": strings.Join(dates, ","), "run_id": "r", "notebook_hash": "h",
				})
				require.NoError(p.t, err, "%s on %s", name, where)
			}
		}
	}
}

// compare requires that all tables have the same rows on both engines, and returns them.
func (p *pipeline) compare() map[string][]string {
	tables := []string{"raw"}
	for _, kind := range []string{"pin", "geo", "user"} {
		tables = append(tables, kind, kind+"_quarantine")
	}
	all := map[string][]string{}
	for _, table := range append(tables, notebooks.Answers...) {
		want, got := p.rows(p.duck, table), p.rows(p.spark, table)
		require.Empty(p.t, minus(want, got), "%s: rows of the workspace that Spark has not", table)
		require.Empty(p.t, minus(got, want), "%s: rows of Spark that the workspace has not", table)
		all[table] = want
	}
	return all
}

func (p *pipeline) rows(e enginetest.Engine, table string) []string {
	result, err := e.Query(p.t.Context(), engine.Query{SQL: "SELECT * FROM `" + table + "`", Schema: p.schema})
	require.NoError(p.t, err, table)
	rows := make([]string, len(result.Rows))
	for i, row := range result.Rows {
		rows[i] = text(row)
	}
	slices.Sort(rows)
	return rows
}

// text returns a value such that different values have different texts.
func text(value any) string {
	switch v := value.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []any:
		var b strings.Builder
		for _, element := range v {
			b.WriteString(text(element) + " | ")
		}
		return "[" + b.String() + "]"
	}
	return fmt.Sprintf("%#v", value)
}

// minus returns the rows of a that b has not, as often as they are missing.
func minus(a, b []string) []string {
	counts := map[string]int{}
	for _, row := range b {
		counts[row]++
	}
	var rest []string
	for _, row := range a {
		if counts[row]--; counts[row] < 0 {
			rest = append(rest, row[:min(len(row), 2000)])
		}
	}
	return rest
}

// records returns the lines of the three topics as records of a date, in the order in which they
// were sent; partition gives the partition of the nth.
func records(lines map[string][]string, date string, partition func(n int) int) []reference.Record {
	var all []reference.Record
	for _, kind := range []string{"pin", "geo", "user"} {
		for i, line := range lines[kind] {
			all = append(all, reference.Record{Kind: kind, Date: date, Partition: partition(i), Offset: int64(i), Timestamp: int64(i / 4), Value: []byte(line)})
		}
	}
	return all
}

// unusual returns records again, at later offsets, with tombstones, empty values, keys and headers
// among them.
func unusual(again []reference.Record) []reference.Record {
	again = slices.Clone(again)
	for i := range again {
		again[i].Offset += 1_000_000
	}
	return reference.Unusual(again)
}

// posts returns the lines as records of posts. They share offsets and times with those of the other
// topics.
func posts(lines []string, date string) []reference.Record {
	var all []reference.Record
	for i, line := range lines {
		all = append(all, reference.Record{Kind: reference.Post, Date: date, Offset: int64(i), Timestamp: int64(i / 4), Value: []byte(line)})
	}
	return all
}

func onePartition(int) int { return 0 }

// realRecords returns the real records, or nil if they are not there, as in a user's clone.
func realRecords(t *testing.T) map[string][]string {
	dir := reference.SharedPosts()
	if dir == "" {
		return nil
	}
	lines := map[string][]string{}
	for _, kind := range []string{"pin", "geo", "user"} {
		content, err := os.ReadFile(filepath.Join(dir, kind+".jsonl"))
		require.NoError(t, err)
		lines[kind] = strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	}
	return lines
}

// scenario is a sequence of runs of landed records, after each of which all rows are compared.
type scenario struct {
	name   string // of the schema and in the document
	folder string // of the landed objects
	landed []reference.Record
	runs   []dailyRun
	// defaults gives Spark's sessions the settings that Spark itself has: the other scenarios have
	// those for small tables, with which it interprets expressions in place of compiling them.
	defaults bool
}

type dailyRun struct {
	name    string // in the document; "" for a run that is followed by another
	invalid string // the parameter invalid_followers
	dates   []string
}

// check runs the scenario on both engines and returns the rows after each of its named runs.
func (s scenario) check(t *testing.T, r *report) []map[string][]string {
	e := onSpark
	if s.defaults {
		e = e.ForLargeTables()
	}
	p := newPipeline(t, e, identifier(s.name), s.folder)
	var all []map[string][]string
	for _, run := range s.runs {
		p.run(run.invalid, run.dates...)
		if run.name != "" {
			rows := p.compare()
			r.add(run.name, len(s.landed), rows)
			all = append(all, rows)
		}
	}
	return all
}

// identifier returns a name as that of a schema or folder.
func identifier(name string) string { return strings.ReplaceAll(name, " ", "_") }

func TestConformance(t *testing.T) {
	t.Parallel() // beside TestSilver: Spark plans a statement on one core
	r := &report{}
	orders := []struct {
		name   string
		groups [][]string
	}{
		{"forwards", [][]string{{monday}, {tuesday}}},
		{"backwards", [][]string{{tuesday}, {monday}}},
		{"as a group", [][]string{{monday, tuesday}}},
	}
	ordered := make([]map[string][]string, len(orders))
	t.Run("rows", func(t *testing.T) {
		for _, day := range []struct {
			name  string
			lines map[string][]string
		}{
			{"real records", realRecords(t)},
			{"a generated day", reference.Generate(100, 1300)},
			{"hostile records", reference.Hostile()},
		} {
			if day.lines == nil {
				t.Logf("%s are not in this clone", day.name)
				continue
			}
			s := scenario{name: day.name, folder: identifier(day.name), landed: records(day.lines, tuesday, onePartition)}
			if day.name != "real records" {
				s.landed = append(s.landed, unusual(s.landed)...)
				s.landed = append(s.landed, posts(reference.GeneratePosts(101, 400), tuesday)...)
			}
			land(s.folder, s.landed)
			for _, name := range []string{day.name, day.name + ", run again"} {
				s.runs = append(s.runs, dailyRun{name, "quarantine", []string{tuesday}})
				r.expect(name)
			}
			t.Run(identifier(s.name), func(t *testing.T) {
				t.Parallel()
				rows := s.check(t, r)
				require.Equal(t, rows[0], rows[1], "a second run changes nothing")
			})
		}

		hostile := scenario{
			name: "hostile records by default", folder: "hostile_records", landed: records(reference.Hostile(), tuesday, onePartition),
			runs: []dailyRun{{"hostile records, Spark with its own settings", "quarantine", []string{tuesday}}}, defaults: true,
		}
		r.expect(hostile.runs[0].name)
		t.Run(identifier(hostile.name), func(t *testing.T) {
			t.Parallel()
			hostile.check(t, r)
		})

		landed := append(records(reference.Generate(7, 150), monday, func(n int) int { return n % 3 }),
			records(reference.Generate(8, 150), tuesday, func(n int) int { return n % 2 })...)
		landed = append(append(landed, posts(reference.GeneratePosts(7, 50), monday)...), posts(reference.GeneratePosts(8, 50), tuesday)...)
		land("dates", landed)
		for i, order := range orders {
			s := scenario{name: "two dates " + order.name, folder: "dates", landed: landed}
			for _, dates := range order.groups {
				s.runs = append(s.runs, dailyRun{invalid: "null", dates: dates})
			}
			last := &s.runs[len(s.runs)-1]
			last.name = s.name + ", `invalid_followers=null`"
			r.expect(last.name)
			t.Run(identifier(s.name), func(t *testing.T) {
				t.Parallel()
				ordered[i] = s.check(t, r)[0]
			})
		}
	})
	if t.Failed() {
		return
	}
	for i, rows := range ordered {
		require.Equal(t, ordered[0], rows, "%s: the order of dates changes nothing", orders[i].name)
	}
	r.check(t)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	value := func(e *spark.Engine, name string) any {
		result, err := e.Query(t.Context(), engine.Query{SQL: "SET " + name})
		require.NoError(t, err)
		return result.Rows[0][1]
	}
	for _, setting := range spark.SmallTables {
		require.Equal(t, setting.Value, value(onSpark, setting.Name), setting.Name)
		require.NotEqual(t, setting.Value, value(onSpark.ForLargeTables(), setting.Name), setting.Name)
	}
}
