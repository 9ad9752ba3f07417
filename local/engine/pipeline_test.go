package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/objectstore"
	"github.com/pinflow/pinflow/local/reference"
	"github.com/pinflow/pinflow/notebooks"
)

const (
	user       = reference.UserID
	postsTopic = run.PostsTopic
)

// store is an object store in memory.
type store map[string][]byte

func (s store) List(_ context.Context, prefix string) ([]objectstore.Object, error) {
	var found []objectstore.Object
	for uri, content := range s {
		if strings.HasPrefix(uri, prefix) {
			found = append(found, objectstore.Object{URI: uri, Size: int64(len(content))})
		}
	}
	slices.SortFunc(found, func(a, b objectstore.Object) int { return strings.Compare(a.URI, b.URI) })
	return found, nil
}

func (s store) Open(_ context.Context, uri string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s[uri])), nil
}

// land writes records like landing, an object for each topic, date and partition.
func (s store) land(t require.TestingT, records []reference.Record, name string) {
	for _, date := range dates(records) {
		for _, kind := range []string{"pin", "geo", "user"} {
			s[fmt.Sprintf("s3://b/topics/%s.%s/dt=%s/partition=0/%s.%s+0+empty.json", user, kind, date, user, kind)] = nil
		}
	}
	for _, r := range records {
		topic := r.Topic()
		key := fmt.Sprintf("s3://b/topics/%s/dt=%s/partition=%d/%s+%d+%s.json", topic, r.Date, r.Partition, topic, r.Partition, name)
		s[key] = append(append(s[key], reference.Line(r)...), '\n')
	}
}

func dates(records []reference.Record) []string {
	var all []string
	for _, r := range records {
		if !slices.Contains(all, r.Date) {
			all = append(all, r.Date)
		}
	}
	return all
}

func open(t testing.TB, objects objectstore.Store) *engine.Engine {
	e, err := engine.Open(t.Context(), engine.Options{Objects: objects, Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	_, err = e.Query(t.Context(), engine.Query{SQL: "CREATE SCHEMA IF NOT EXISTS pins"})
	require.NoError(t, err)
	return e
}

// runDate runs the notebooks of the daily DAG, in order.
func runDate(ctx context.Context, t require.TestingT, e *engine.Engine, date, invalid string) {
	sources := map[string]string{}
	for _, n := range notebooks.All() {
		sources[n.Name] = n.Source
	}
	for _, name := range []string{"load", "clean_pin", "clean_geo", "clean_user", "query"} {
		_, err := e.RunNotebook(ctx, sources[name], map[string]string{
			"schema": "pins", "raw_path": "s3://b", "user_id": user, "posts_topic": postsTopic, "logical_dates": date, "run_id": "run of " + date, "notebook_hash": "cafe", "invalid_followers": invalid,
		})
		require.NoError(t, err, name)
	}
	made, err := e.Query(ctx, engine.Query{SQL: "SELECT logical_dates, run_id, notebook_hash, made_at IS NOT NULL FROM answers_made_by", Schema: "pins"})
	require.NoError(t, err)
	require.Equal(t, [][]any{{date, "run of " + date, "cafe", true}}, made.Rows, "the latest run made the answers")
}

// read returns the content of the tables, in the form of the reference.
func read(ctx context.Context, t require.TestingT, e *engine.Engine) reference.Expected {
	got := reference.Expected{Rows: map[string]int{}, Rejected: map[string]int{}, Answers: map[string][][]any{}}
	ask := func(sql string) [][]any {
		table, err := e.Query(ctx, engine.Query{SQL: sql, Schema: "pins"})
		require.NoError(t, err)
		if table.Rows == nil {
			return [][]any{}
		}
		return table.Rows
	}
	for _, kind := range []string{"pin", "geo", "user"} {
		got.Rows[kind] = int(ask("SELECT count(*) FROM `" + kind + "`")[0][0].(int64))
		for _, row := range ask("SELECT reason, count(*) FROM " + kind + "_quarantine GROUP BY reason") {
			got.Rejected[kind+":"+row[0].(string)] = int(row[1].(int64))
		}
	}
	for answer := range reference.Answers(nil, reference.Options{}).Answers {
		got.Answers[answer] = ask("SELECT * FROM " + answer + " ORDER BY ALL")
	}
	return got
}

func requireSame(t require.TestingT, want, got reference.Expected) {
	require.Equal(t, toJSON(t, want), toJSON(t, got))
}

func toJSON(t require.TestingT, e reference.Expected) string {
	b, err := json.MarshalIndent(e, "", " ")
	require.NoError(t, err)
	return string(b)
}

// wireRecords returns the real records if they exist, otherwise generated ones, in the order in
// which they were sent.
func wireRecords(t testing.TB, date string) []reference.Record {
	lines := reference.Generate(100, 1300)
	if dir := reference.SharedPosts(); dir != "" {
		t.Log("records: real ones")
		for kind := range lines {
			lines[kind] = readLines(t, filepath.Join(dir, kind+".jsonl"))
		}
	} else {
		t.Log("records: generated ones")
	}
	var records []reference.Record
	for _, kind := range []string{"pin", "geo", "user"} {
		for i, line := range lines[kind] {
			records = append(records, reference.Record{Kind: kind, Date: date, Offset: int64(i), Timestamp: int64(i), Value: []byte(line)})
		}
	}
	return records
}

func readLines(t testing.TB, file string) []string {
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	var lines []string
	scanner := bufio.NewScanner(bytes.NewReader(content))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	return lines
}

func TestNotebooks(t *testing.T) {
	t.Parallel()
	t.Run("return_the_expected_answers", func(t *testing.T) {
		t.Parallel()
		records := wireRecords(t, "2022-10-18")
		objects := store{}
		objects.land(t, records, "0000000000")
		e := open(t, objects)
		runDate(t.Context(), t, e, "2022-10-18", "quarantine")
		first := read(t.Context(), t, e)
		requireSame(t, reference.Answers(records, reference.Options{}), first)
		if dir := reference.SharedPosts(); dir != "" {
			want, err := os.ReadFile(filepath.Join(dir, "expected.json"))
			require.NoError(t, err)
			require.JSONEq(t, string(want), toJSON(t, first))
		}
		t.Run("a second run changes nothing", func(t *testing.T) {
			runDate(t.Context(), t, e, "2022-10-18", "quarantine")
			requireSame(t, first, read(t.Context(), t, e))
		})
		t.Run("objects that land later are added", func(t *testing.T) {
			again := slices.Clone(records)
			for i := range again {
				again[i].Offset += 100_000
				again[i].Timestamp += 100_000
				again[i].Partition = i % 3
			}
			objects.land(t, again, "0000100000")
			runDate(t.Context(), t, e, "2022-10-18", "quarantine")
			requireSame(t, reference.Answers(append(again, records...), reference.Options{}), read(t.Context(), t, e))
		})
	})

	t.Run("cleaning_different_dates_at_once_never_conflicts", func(t *testing.T) {
		t.Parallel()
		records := wireRecords(t, "2022-10-10")
		for i := range records {
			records[i].Date = fmt.Sprintf("2022-10-%02d", 10+i%6)
		}
		objects := store{}
		objects.land(t, records, "0000000000")
		e := open(t, objects)
		all := dates(records)
		for _, date := range all {
			runDate(t.Context(), t, e, date, "quarantine")
		}
		sources := map[string]string{}
		for _, n := range notebooks.All() {
			sources[n.Name] = n.Source
		}
		var group errgroup.Group
		for _, date := range all {
			for _, name := range []string{"clean_pin", "clean_geo", "clean_user"} {
				group.Go(func() error {
					_, err := e.RunNotebook(t.Context(), sources[name], map[string]string{
						"schema": "pins", "raw_path": "s3://b", "user_id": user, "posts_topic": postsTopic, "logical_dates": date, "invalid_followers": "quarantine",
					})
					return err
				})
			}
		}
		require.NoError(t, group.Wait())
		runDate(t.Context(), t, e, all[0], "quarantine")
		requireSame(t, reference.Answers(records, reference.Options{}), read(t.Context(), t, e))
	})

	t.Run("keep_the_contract_at_its_edges", func(t *testing.T) {
		t.Parallel()
		var records []reference.Record
		for kind, lines := range reference.Hostile() {
			for i, line := range lines {
				records = append(records, reference.Record{Kind: kind, Date: "2022-10-18", Offset: int64(i), Timestamp: int64(i), Value: []byte(line)})
			}
		}
		objects := store{}
		objects.land(t, records, "0000000000")
		e := open(t, objects)
		runDate(t.Context(), t, e, "2022-10-18", "quarantine")
		requireSame(t, reference.Answers(records, reference.Options{}), read(t.Context(), t, e))
	})

	t.Run("split_posts_into_the_kinds", func(t *testing.T) {
		t.Parallel()
		const fields = `"unique_id":"00000000-0000-4000-8000-000000000000","category":"art","ind":%d,"timestamp":"2020-01-01 00:00:00","latitude":1.5,"longitude":2,"country":"Albania","first_name":"Bo","last_name":"Ng","age":30,"date_joined":"2016-01-01 00:00:00"}`
		record := func(kind string, offset, index int, followers string) reference.Record {
			value := fmt.Sprintf(`{"index":%d,"follower_count":%q,`+fields, index, followers, index)
			return reference.Record{Kind: kind, Date: "2022-10-18", Offset: int64(offset), Timestamp: 5, Value: []byte(value)}
		}
		var records []reference.Record
		for i := range 60 { // of equal times and places the topic that is last by its name counts, which is u1.pin
			first, second := record("pin", i, i, "1k"), record(run.Post, i, i, "2k")
			if i%2 == 0 {
				first, second = second, first
			}
			records = append(records, first, second)
		}
		records = append(records, record(run.Post, 60, 0, "3k"), record(run.Post, 61, 100, "many"), reference.Record{Kind: run.Post, Date: "2022-10-18", Offset: 62, Value: []byte("[{},5]")})
		objects := store{}
		objects.land(t, records, "0000000000")
		e := open(t, objects)
		runDate(t.Context(), t, e, "2022-10-18", "quarantine")
		requireSame(t, reference.Answers(records, reference.Options{}), read(t.Context(), t, e))
		ask := func(sql string) [][]any {
			table, err := e.Query(t.Context(), engine.Query{SQL: sql, Schema: "pins"})
			require.NoError(t, err)
			return table.Rows
		}
		require.Equal(t, [][]any{{int64(1000), int64(59)}, {int64(3000), int64(1)}}, ask("SELECT follower_count, count(*) AS n FROM pin GROUP BY ALL ORDER BY ALL"))
		require.Equal(t, [][]any{{int64(61), int64(61)}}, ask("SELECT (SELECT count(*) FROM geo) AS geo, (SELECT count(*) FROM `user`) AS users"))
		for kind, rejected := range map[string][]int64{"pin": {61, 62, 62}, "geo": {62, 62}, "user": {62, 62}} {
			var want [][]any
			for i, offset := range rejected {
				reason := map[bool]string{true: "follower_count", false: "not a " + kind + " record"}[offset == 61]
				want = append(want, []any{"Pinterest_data", offset, int64(i - len(rejected) + 2), reason})
			}
			if kind == "pin" {
				want[0][2] = int64(0)
			}
			require.Equal(t, want, ask("SELECT topic, topic_offset, element, reason FROM "+kind+"_quarantine ORDER BY topic_offset, element"), kind)
		}
	})

	t.Run("invalid_followers_can_be_kept", func(t *testing.T) {
		t.Parallel()
		records := wireRecords(t, "2022-10-18")
		objects := store{}
		objects.land(t, records, "0000000000")
		e := open(t, objects)
		runDate(t.Context(), t, e, "2022-10-18", "null")
		requireSame(t, reference.Answers(records, reference.Options{KeepInvalidFollowers: true}), read(t.Context(), t, e))
	})

	// The property: whatever the records, however they are spread over partitions and dates, and in
	// whatever order the dates run, the SQL and the reference agree.
	t.Run("agree_with_the_reference", func(t *testing.T) {
		t.Parallel()
		for checker := range checkers {
			t.Run(strconv.Itoa(checker+1), func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, agree)
			})
		}
	})
}

// checkers share the checks of the property: one database keeps one core busy.
const checkers = 2

func TestMain(m *testing.M) {
	// 100 checks in all, unless -rapid.checks, which is parsed later, asks for another number of
	// each.
	if err := flag.Set("rapid.checks", strconv.Itoa(100/checkers)); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func agree(t *rapid.T) {
	lines := reference.Generate(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(1, 120).Draw(t, "posts"))
	spread := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "spread"), 2))
	var records []reference.Record
	for _, kind := range []string{"pin", "geo", "user"} {
		for i, line := range lines[kind] {
			records = append(records, reference.Record{
				Kind: kind, Date: fmt.Sprintf("2022-10-%02d", 10+spread.IntN(3)), Partition: spread.IntN(3),
				Offset: int64(i), Timestamp: int64(spread.IntN(50)), Value: []byte(line),
			})
		}
	}
	for i, line := range reference.GeneratePosts(rapid.Uint64().Draw(t, "seed of posts"), rapid.IntRange(0, 60).Draw(t, "records of posts")) {
		records = append(records, reference.Record{
			Kind: run.Post, Date: fmt.Sprintf("2022-10-%02d", 10+spread.IntN(3)), Partition: spread.IntN(3),
			Offset: int64(i), Timestamp: int64(spread.IntN(50)), Value: []byte(line),
		})
	}
	objects := store{}
	objects.land(t, reference.Unusual(records), "0000000000")
	ctx := context.Background()
	e, err := engine.Open(ctx, engine.Options{Objects: objects, Threads: 2})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	_, err = e.Query(ctx, engine.Query{SQL: "CREATE SCHEMA pins"})
	require.NoError(t, err)
	order := dates(records)
	spread.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for _, date := range order {
		runDate(ctx, t, e, date, "quarantine")
	}
	requireSame(t, reference.Answers(records, reference.Options{}), read(ctx, t, e))
}
