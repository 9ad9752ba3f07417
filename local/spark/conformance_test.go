//go:build conformance

package spark_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

const user = "u1"

// onSpark is the Spark of all tests. Its time zone is not UTC, which the notebooks must not notice.
var onSpark *spark.Engine

// objects are those that both engines read.
var objects = enginetest.Objects{}

func TestMain(m *testing.M) {
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
		Home: os.Getenv("PINFLOW_SPARK"), Dir: dir, Objects: objects, TimeZone: "America/New_York", Log: log,
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
		topic := user + "." + r.Kind
		key := fmt.Sprintf("s3://b/%s/topics/%s/dt=%s/partition=%d/%s+%d+0000000000.json", folder, topic, r.Date, r.Partition, topic, r.Partition)
		objects[key] = append(append(objects[key], reference.Line(topic, r)...), '\n')
		empty := fmt.Sprintf("s3://b/%s/topics/%s/dt=%s/partition=9/%s+9+empty.json", folder, topic, r.Date, topic)
		objects[empty] = nil
	}
}

// pipeline is a schema on both engines, and the folder of its landed objects.
type pipeline struct {
	t              *testing.T
	schema, folder string
	duck           *engine.Engine
}

func newPipeline(t *testing.T, schema, folder string) *pipeline {
	duck, err := engine.Open(t.Context(), engine.Options{Objects: objects, Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, duck.Close()) })
	p := &pipeline{t, schema, folder, duck}
	for _, e := range p.engines() {
		_, err := e.Query(t.Context(), engine.Query{SQL: "CREATE SCHEMA `" + schema + "`"})
		require.NoError(t, err)
	}
	return p
}

func (p *pipeline) engines() map[string]enginetest.Engine {
	return map[string]enginetest.Engine{"the workspace": p.duck, "Spark": onSpark}
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
					"schema": p.schema, "raw_path": "s3://b/" + p.folder, "user_id": user, "invalid_followers": invalid,
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
		want, got := p.rows(p.duck, table), p.rows(onSpark, table)
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

func TestConformance(t *testing.T) {
	report := &report{}

	t.Run("a_day_of_records", func(t *testing.T) {
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
			t.Run(strings.ReplaceAll(day.name, " ", "_"), func(t *testing.T) {
				folder := strings.ReplaceAll(day.name, " ", "_")
				landed := records(day.lines, "2022-10-18", onePartition)
				land(folder, landed)
				p := newPipeline(t, folder, folder)
				p.run("quarantine", "2022-10-18")
				first := p.compare()
				report.add(day.name, len(landed), first)
				p.run("quarantine", "2022-10-18")
				require.Equal(t, first, p.compare(), "a second run changes nothing")
				report.add(day.name+", run again", len(landed), first)
			})
		}
	})

	t.Run("dates_in_any_order_and_group", func(t *testing.T) {
		landed := append(records(reference.Generate(7, 150), "2022-10-17", func(n int) int { return n % 3 }),
			records(reference.Generate(8, 150), "2022-10-18", func(n int) int { return n % 2 })...)
		land("dates", landed)
		var first map[string][]string
		for _, order := range []struct {
			name   string
			groups [][]string
		}{
			{"forwards", [][]string{{"2022-10-17"}, {"2022-10-18"}}},
			{"backwards", [][]string{{"2022-10-18"}, {"2022-10-17"}}},
			{"as a group", [][]string{{"2022-10-17", "2022-10-18"}}},
		} {
			name := order.name
			p := newPipeline(t, "dates_"+strings.ReplaceAll(name, " ", "_"), "dates")
			for _, group := range order.groups {
				p.run("null", group...)
			}
			rows := p.compare()
			if first == nil {
				first = rows
			}
			require.Equal(t, first, rows, name)
			report.add("two dates "+name+", `invalid_followers=null`", len(landed), rows)
		}
	})
	if !t.Failed() {
		report.check(t)
	}
}

// report is the table of docs/conformance.md, which the run writes.
type report struct{ lines []string }

var update = flag.Bool("update", false, "write the table of docs/conformance.md")

const document = "../../docs/conformance.md"

func (r *report) add(name string, records int, rows map[string][]string) {
	counts := map[string]int{}
	for table, of := range rows {
		switch {
		case table == "raw":
		case strings.HasSuffix(table, "_quarantine"):
			counts["quarantine"] += len(of)
		case slices.Contains(notebooks.Answers, table):
			counts["gold"] += len(of)
		default:
			counts["silver"] += len(of)
		}
	}
	r.lines = append(r.lines, fmt.Sprintf("| %s | %d | %d | %d | %d | equal |", name, records, counts["silver"], counts["quarantine"], counts["gold"]))
	fmt.Println(r.lines[len(r.lines)-1])
}

// check compares the document with what the run has seen, or writes it.
func (r *report) check(t *testing.T) {
	content, err := os.ReadFile(document)
	require.NoError(t, err)
	if !*update {
		for _, line := range r.lines {
			require.Contains(t, string(content), line, "make conformance-sql UPDATE=1 writes %s", document)
		}
		return
	}
	require.NotNil(t, realRecords(t), "the table has a line for the real records: write it where they are")
	before, rest, found := strings.Cut(string(content), "<!-- written by make conformance-sql UPDATE=1 -->\n")
	require.True(t, found)
	_, after, found := strings.Cut(rest, "<!-- end -->")
	require.True(t, found)
	var table strings.Builder
	table.WriteString("| records of | records | silver rows | quarantined | rows of answers | workspace and Spark |\n|---|---|---|---|---|---|\n" + strings.Join(r.lines, "\n") + "\n\n")
	table.WriteString("| in the notebooks | on open-source Spark |\n|---|---|\n")
	for _, rule := range engine.SparkRules {
		fmt.Fprintf(&table, "| `%s` | %s |\n", rule[0], rule[1])
	}
	require.NoError(t, os.WriteFile(document, []byte(before+"<!-- written by make conformance-sql UPDATE=1 -->\n"+table.String()+"<!-- end -->"+after), 0o644))
}
