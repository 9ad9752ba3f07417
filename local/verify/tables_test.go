// Package verify_test holds what `starter verify` says of the tables to the embedded engine: whatever
// the notebooks make of what has landed is proven, and whatever is changed afterwards is found.
package verify_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/objectstore"
	"github.com/pinflow/pinflow/local/reference"
	"github.com/pinflow/pinflow/local/workspace/cell"
	"github.com/pinflow/pinflow/notebooks"
	"github.com/pinflow/pinflow/starter/verify"
	"github.com/pinflow/pinflow/starter/verify/verifytest"
)

const (
	day    = dates.Date("2022-10-18")
	schema = "pins"
)

// kinds are those that are cleaned, landed those that land: posts are of all kinds.
var (
	kinds  = []string{"pin", "geo", "user"}
	landed = append(slices.Clone(kinds), run.Post)
)

// TestMain checks few random tables, unless -rapid.checks asks for more: each has an engine of its own.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "10"); err != nil { // flags on the command line are parsed later, and win
		panic(err)
	}
	os.Exit(m.Run())
}

// store lets the engine read a bucket in memory.
type store struct{ bucket.Objects }

func (s store) List(ctx context.Context, prefix string) ([]objectstore.Object, error) {
	listed, err := s.Objects.List(ctx, bucket.ListInput{Prefix: strings.TrimPrefix(prefix, "s3://bucket/")})
	var found []objectstore.Object
	for _, object := range listed {
		found = append(found, objectstore.Object{URI: s.URI(object.Key), Size: object.Size})
	}
	return found, err
}

func (s store) Open(ctx context.Context, uri string) (io.ReadCloser, error) {
	body, err := s.Get(ctx, strings.TrimPrefix(uri, "s3://bucket/"))
	return io.NopCloser(bytes.NewReader(body)), err
}

// statements runs the statements of a warehouse on the engine.
type statements struct {
	answers.Statements
	engine *engine.Engine
}

func (s statements) ExecuteStatement(ctx context.Context, r sql.ExecuteStatementRequest) (*sql.StatementResponse, error) {
	table, err := s.engine.Query(ctx, engine.Query{SQL: r.Statement})
	if err != nil {
		return failed(err), nil //nolint:nilerr // the API's answer to a statement that failed
	}
	rows := make([][]string, len(table.Rows))
	for i, row := range table.Rows {
		for j, value := range row {
			text := ""
			if found := cell.Text(value, table.Columns[j].Type); found != nil {
				text = *found
			}
			rows[i] = append(rows[i], text)
		}
	}
	return &sql.StatementResponse{
		Status: &sql.StatementStatus{State: sql.StatementStateSucceeded}, Manifest: &sql.ResultManifest{TotalRowCount: int64(len(rows))},
		Result: &sql.ResultData{DataArray: rows},
	}, nil
}

func failed(err error) *sql.StatementResponse {
	return &sql.StatementResponse{Status: &sql.StatementStatus{State: sql.StatementStateFailed, Error: &sql.ServiceError{Message: err.Error()}}}
}

// world is what has landed, and the tables that the notebooks have made of it.
type world struct {
	*verifytest.World
	engine  *engine.Engine
	invalid map[dates.Date]string // the parameter invalid_followers
}

// inWorld lands records of two dates, the posts of which are sent several times, and runs the notebooks.
func inWorld(t require.TestingT, seed uint64, posts int, invalid string, do func(*world)) {
	ctx := context.Background()
	w := &world{World: verifytest.New(2, landed...), invalid: map[dates.Date]string{}}
	e, err := engine.Open(ctx, engine.Options{Objects: store{w.Bucket}, Threads: 2})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	w.engine = e
	_, err = e.Query(ctx, engine.Query{SQL: "CREATE SCHEMA " + schema})
	require.NoError(t, err)
	for i := range 2 {
		date := day.Add(i)
		for _, again := range []uint64{seed, seed + 1, seed} {
			values := reference.Generate(again, posts)
			values[run.Post] = reference.GeneratePosts(again+2, max(2, posts/3))
			for _, kind := range landed {
				for n, value := range values[kind] {
					w.Kafka.Produce(verifytest.Topic(kind), n%2, date.Start().Add(time.Duration(n)*time.Second), value)
				}
			}
		}
		for _, kind := range landed {
			require.NoError(t, w.Land(kind, date, date.End().Add(time.Minute)))
		}
		w.invalid[date] = invalid
		w.run(t, date)
	}
	do(w)
}

// run runs the notebooks for a date.
func (w *world) run(t require.TestingT, date dates.Date) {
	for _, name := range []string{"load", "clean_pin", "clean_geo", "clean_user"} {
		i := slices.IndexFunc(notebooks.All(), func(n notebooks.Notebook) bool { return n.Name == name })
		_, err := w.engine.RunNotebook(context.Background(), notebooks.All()[i].Source, map[string]string{
			"schema": schema, "raw_path": "s3://bucket", "user_id": verifytest.UserID, "invalid_followers": w.invalid[date],
			"posts_topic": run.PostsTopic, "logical_dates": string(date), "run_id": "r", "notebook_hash": "h",
		})
		require.NoError(t, err)
	}
}

func (w *world) query(t require.TestingT, statement string) *engine.Table {
	table, err := w.engine.Query(context.Background(), engine.Query{SQL: statement, Schema: schema})
	require.NoError(t, err, statement)
	return table
}

func (w *world) verify(t require.TestingT) verify.Report {
	v := &verify.Verifier{
		Objects: w.Bucket, Kafka: w.Kafka, Cleaned: map[string][]string{}, Notebooks: notebooks.All(),
		Warehouse:        &answers.Warehouse{Statements: statements{engine: w.engine}, ID: "w1", Schema: schema},
		InvalidFollowers: "quarantine", Command: func(args string) string { return "starter " + args },
		Params: func(_ context.Context, date dates.Date) (map[string]string, error) {
			return map[string]string{"invalid_followers": w.invalid[date]}, nil
		},
	}
	for _, kind := range landed {
		v.Topics = append(v.Topics, verifytest.Topic(kind))
	}
	for _, kind := range kinds {
		v.Cleaned[kind] = run.Topics{UserID: verifytest.UserID}.Of(kind)
	}
	report, lost, err := v.Verify(context.Background(), []dates.Date{day, day.Add(1)})
	require.NoError(t, err)
	require.NoError(t, lost)
	return report
}

// place is a row that a test changes.
type place struct {
	topic                      string
	partition, offset, element int64
}

func (p place) where(date dates.Date) string {
	return fmt.Sprintf("logical_date = DATE'%s' AND topic = '%s' AND topic_partition = %d AND topic_offset = %d AND element = %d", date, p.topic, p.partition, p.offset, p.element)
}

// places returns the places of some rows of day.
func (w *world) places(t require.TestingT, table, element, condition string) (found []place) {
	rows := w.query(t, "SELECT topic, topic_partition, topic_offset, "+element+" FROM "+schema+"."+table+" WHERE logical_date = DATE'"+string(day)+"' AND "+condition+" ORDER BY 1, 2, 3, 4").Rows
	for _, row := range rows {
		found = append(found, place{row[0].(string), row[1].(int64), row[2].(int64), row[3].(int64)})
	}
	return found
}

// double inserts rows of a table once more.
func (w *world) double(t require.TestingT, table, condition string) {
	w.query(t, "CREATE TABLE "+schema+".copied AS SELECT * FROM "+schema+"."+table+" WHERE "+condition)
	w.query(t, "INSERT INTO "+schema+"."+table+" SELECT * FROM "+schema+".copied")
}

// damages change one row, and return the table and the place that a problem has to name, and what it
// says.
var damages = map[string]func(t require.TestingT, w *world, kind string, pick func(n int) int) (table string, at place, what string){
	"a row of raw is missing": func(t require.TestingT, w *world, kind string, pick func(int) int) (string, place, string) {
		all := w.places(t, "raw", "0", "topic = '"+verifytest.Topic(kind)+"'")
		at := all[pick(len(all))]
		w.query(t, "DELETE FROM "+schema+".raw WHERE "+strings.TrimSuffix(at.where(day), " AND element = 0"))
		return "raw", at, "; it lacks offset"
	},
	"a row of raw is doubled": func(t require.TestingT, w *world, kind string, pick func(int) int) (string, place, string) {
		all := w.places(t, "raw", "0", "topic = '"+verifytest.Topic(kind)+"'")
		at := all[pick(len(all))]
		w.double(t, "raw", strings.TrimSuffix(at.where(day), " AND element = 0"))
		return "raw", at, "; it has several times offset"
	},
	"a row of silver is missing": func(t require.TestingT, w *world, kind string, pick func(int) int) (string, place, string) {
		return w.delete(t, kind, "reason IS NULL", "neither in silver nor in quarantine", pick)
	},
	"a row of quarantine is missing": func(t require.TestingT, w *world, kind string, pick func(int) int) (string, place, string) {
		return w.delete(t, kind, "reason IS NOT NULL", "not in quarantine", pick)
	},
	"a row of silver is doubled": func(t require.TestingT, w *world, kind string, pick func(int) int) (string, place, string) {
		return w.twice(t, kind, "reason IS NULL", pick)
	},
	"a row of quarantine is doubled": func(t require.TestingT, w *world, kind string, pick func(int) int) (string, place, string) {
		return w.twice(t, kind, "reason IS NOT NULL", pick)
	},
	"a row of silver is of no record": func(t require.TestingT, w *world, kind string, pick func(int) int) (string, place, string) {
		table := kind + "_by_date"
		all := w.places(t, table, "element", "reason IS NULL")
		from := all[pick(len(all))]
		w.query(t, "CREATE TABLE "+schema+".copied AS SELECT * REPLACE (topic_offset + 1000 AS topic_offset) FROM "+schema+"."+table+" WHERE "+from.where(day))
		w.query(t, "INSERT INTO "+schema+"."+table+" SELECT * FROM "+schema+".copied")
		return table, place{from.topic, from.partition, from.offset + 1000, from.element}, "of no record in raw"
	},
	"a row of silver is that of an older record": func(t require.TestingT, w *world, kind string, pick func(int) int) (string, place, string) {
		table := kind + "_by_date"
		older := w.query(t, `SELECT old.topic_partition, old.topic_offset, now.topic_partition, now.topic_offset, now.topic, old.file FROM `+schema+`.raw AS old, `+schema+`.`+table+` AS now
			JOIN `+schema+`.raw AS new ON new.topic = now.topic AND new.topic_partition = now.topic_partition AND new.topic_offset = now.topic_offset
			WHERE now.logical_date = DATE'`+string(day)+`' AND old.logical_date = now.logical_date AND now.reason IS NULL AND now.element = 0 AND old.topic = now.topic
			AND old.value = new.value AND old.elements IS NULL AND new.elements IS NULL AND old.topic_partition = new.topic_partition AND old.topic_offset < new.topic_offset
			ORDER BY 1, 2, 3, 4, 5, 6`).Rows
		if len(older) == 0 {
			return "", place{}, ""
		}
		row := older[pick(len(older))]
		now := place{row[4].(string), row[2].(int64), row[3].(int64), 0}
		w.query(t, fmt.Sprintf("CREATE TABLE %s.copied AS SELECT * REPLACE (%d AS topic_offset, '%s' AS file) FROM %s.%s WHERE %s", schema, row[1], row[5], schema, table, now.where(day)))
		w.query(t, "INSERT INTO "+schema+"."+table+" SELECT * FROM "+schema+".copied")
		return table, place{now.topic, now.partition, row[1].(int64), 0}, " older than "
	},
}

func (w *world) delete(t require.TestingT, kind, which, what string, pick func(int) int) (string, place, string) {
	table := kind + "_by_date"
	all := w.places(t, table, "element", which)
	if len(all) == 0 {
		return "", place{}, ""
	}
	at := all[pick(len(all))]
	w.query(t, "DELETE FROM "+schema+"."+table+" WHERE "+at.where(day))
	return table, at, what
}

func (w *world) twice(t require.TestingT, kind, which string, pick func(int) int) (string, place, string) {
	table := kind + "_by_date"
	all := w.places(t, table, "element", which)
	if len(all) == 0 {
		return "", place{}, ""
	}
	at := all[pick(len(all))]
	w.double(t, table, at.where(day))
	return table, at, " several rows"
}

func requireFound(t require.TestingT, report verify.Report, table string, at place, what string) {
	require.False(t, report.Proven)
	require.True(t, slices.ContainsFunc(report.Problems, func(p verify.Problem) bool {
		return p.Date == day && p.Topic == at.topic && strings.HasSuffix(p.Table, "`"+table+"`") && p.Partition != nil && int64(*p.Partition) == at.partition &&
			p.Offset != nil && *p.Offset == at.offset && strings.Contains(p.What, what)
	}), "%s %+v %s: %+v", table, at, what, report.Problems)
}

func TestTables(t *testing.T) {
	t.Parallel()
	t.Run("rows_quarantined_and_older_are_the_records", func(t *testing.T) {
		t.Parallel()
		inWorld(t, 1, 40, "quarantine", func(w *world) {
			report := w.verify(t)
			require.True(t, report.Proven, "%+v\n%+v", report.Problems, report.Unchecked)
			sums := map[string]int64{}
			for _, landed := range report.Topics {
				counted := landed.Tables
				require.NotNil(t, counted)
				require.Equal(t, landed.Records, counted.Raw)
				require.GreaterOrEqual(t, counted.Records, counted.Raw, "an array has several")
				require.Equal(t, counted.Records, counted.Rows+counted.Quarantined+counted.Older)
				sums["older"] += counted.Older
				sums["rows"] += counted.Rows
				sums["quarantined"] += counted.Quarantined
			}
			for _, kind := range kinds {
				sums["rows"] -= w.query(t, "SELECT count(*) FROM pins."+kind+"_by_date WHERE reason IS NULL").Rows[0][0].(int64)
				sums["quarantined"] -= w.query(t, "SELECT count(*) FROM pins."+kind+"_by_date WHERE reason IS NOT NULL").Rows[0][0].(int64)
			}
			require.Positive(t, sums["older"])
			delete(sums, "older")
			require.Equal(t, map[string]int64{"rows": 0, "quarantined": 0}, sums)
		})
	})

	for name, damage := range damages {
		for _, kind := range kinds {
			t.Run("finds_"+strings.ReplaceAll(name, " ", "_")+"/"+kind, func(t *testing.T) {
				t.Parallel()
				inWorld(t, 7, 30, "quarantine", func(w *world) {
					table, at, what := damage(t, w, kind, func(n int) int { return n / 2 })
					require.NotEmpty(t, table, "the records have nothing to damage")
					report := w.verify(t)
					requireFound(t, report, table, at, what)
					w.repair(t, table)
					report = w.verify(t)
					require.True(t, report.Proven, "after what the report says: %+v", report)
				})
			})
		}
	}

	t.Run("finds_what_was_not_loaded_and_not_cleaned", func(t *testing.T) {
		t.Parallel()
		inWorld(t, 3, 10, "quarantine", func(w *world) {
			w.query(t, "DELETE FROM pins.geo_by_date WHERE logical_date = DATE'2022-10-18'")
			w.query(t, "DROP TABLE pins.user_by_date")
			w.query(t, "DELETE FROM pins.raw WHERE logical_date = DATE'2022-10-18' AND topic = 'u1.pin'")
			report := w.verify(t)
			found := map[string]int{}
			for _, p := range report.Problems {
				found[string(p.Date)+" "+p.Topic+" "+p.Table]++
			}
			require.Equal(t, map[string]int{
				"2022-10-18 u1.geo `pins`.`geo_by_date`": 2, "2022-10-18 Pinterest_data `pins`.`pin_by_date`": 1, "2022-10-18 u1.user `pins`.`user_by_date`": 1, "2022-10-19 u1.user `pins`.`user_by_date`": 1,
				"2022-10-18 Pinterest_data `pins`.`user_by_date`": 1, "2022-10-19 Pinterest_data `pins`.`user_by_date`": 1,
				"2022-10-18 u1.pin `pins`.`raw`": 1, "2022-10-18 u1.pin `pins`.`pin_by_date`": 1,
			}, found, "%+v", report.Problems)
		})
	})

	// A run with other parameters, or with other rules, is not taken for lost records.
	t.Run("knows_the_parameters_of_the_run", func(t *testing.T) {
		t.Parallel()
		inWorld(t, 5, 40, "null", func(w *world) {
			report := w.verify(t)
			require.True(t, report.Proven, "%+v\n%+v", report.Problems, report.Unchecked)
			w.invalid[day] = "quarantine" // and nobody ran it again
			report = w.verify(t)
			require.Empty(t, report.Problems)
			require.False(t, report.Proven)
			require.Contains(t, report.Unchecked[0].Why, "other rules or parameters")
		})
	})

	t.Run("says_which_tables_are_unknown", func(t *testing.T) {
		t.Parallel()
		inWorld(t, 5, 4, "quarantine", func(w *world) {
			w.query(t, "DROP TABLE pins.raw")
			report := w.verify(t)
			require.NotEmpty(t, report.Problems)
			require.Contains(t, report.Problems[0].What, "it has no row of the")
		})
	})
}

// repair does what the report says.
func (w *world) repair(t require.TestingT, table string) {
	if table == "raw" {
		w.query(t, "DELETE FROM pins.raw WHERE logical_date = DATE'"+string(day)+"'")
	}
	w.run(t, day)
}

// Any row that is changed in tables of any records is found, at its place.
func TestTablesRandom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed, posts := rapid.Uint64Range(0, 1<<40).Draw(t, "seed"), rapid.IntRange(2, 20).Draw(t, "posts")
		inWorld(t, seed, posts, rapid.SampledFrom(notebooks.InvalidFollowers).Draw(t, "invalid_followers"), func(w *world) {
			report := w.verify(t)
			require.True(t, report.Proven, "%+v\n%+v", report.Problems, report.Unchecked)
			name := rapid.SampledFrom(slices.Sorted(maps.Keys(damages))).Draw(t, "damage")
			table, at, what := damages[name](t, w, rapid.SampledFrom(kinds).Draw(t, "kind"), func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "row") })
			if table == "" {
				return
			}
			requireFound(t, w.verify(t), table, at, what)
		})
	})
}
