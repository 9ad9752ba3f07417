package answers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/require"
)

// fakeWarehouse answers statements from tables in memory: in chunks, and only when it has been
// asked often enough.
type fakeWarehouse struct {
	mu        sync.Mutex
	results   map[string][][]string // by statement
	missing   bool                  // no table is there
	polls     int                   // how often a statement says that it runs
	chunkRows int
	truncated bool
	execute   error
	columns   []sql.ColumnInfo

	running   map[string]int // statement id → polls left
	statement map[string]string
	cancelled []string
}

func newFake(results map[string][][]string) *fakeWarehouse {
	return &fakeWarehouse{results: results, chunkRows: 2, running: map[string]int{}, statement: map[string]string{}}
}

func (f *fakeWarehouse) ExecuteStatement(_ context.Context, r sql.ExecuteStatementRequest) (*sql.StatementResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.execute != nil {
		return nil, f.execute
	}
	if r.WarehouseId != "w1" {
		return nil, fmt.Errorf("warehouse %q", r.WarehouseId)
	}
	id := fmt.Sprintf("s%d", len(f.statement))
	f.statement[id], f.running[id] = r.Statement, f.polls
	return f.response(id), nil
}

func (f *fakeWarehouse) GetStatementByStatementId(_ context.Context, id string) (*sql.StatementResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running[id]--
	return f.response(id), nil
}

func (f *fakeWarehouse) GetStatementResultChunkNByStatementIdAndChunkIndex(_ context.Context, id string, index int) (*sql.ResultData, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.chunk(id, index), nil
}

func (f *fakeWarehouse) CancelExecution(_ context.Context, r sql.CancelExecutionRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancelled = append(f.cancelled, r.StatementId)
	return nil
}

func (f *fakeWarehouse) response(id string) *sql.StatementResponse {
	status := func(s sql.StatementState, e *sql.ServiceError) *sql.StatementResponse {
		return &sql.StatementResponse{StatementId: id, Status: &sql.StatementStatus{State: s, Error: e}}
	}
	if f.running[id] > 0 {
		return status(sql.StatementStateRunning, nil)
	}
	rows, ok := f.results[f.statement[id]]
	switch {
	case f.missing:
		return status(sql.StatementStateFailed, &sql.ServiceError{Message: "[TABLE_OR_VIEW_NOT_FOUND] The table or view cannot be found. SQLSTATE: 42P01"})
	case !ok:
		return status(sql.StatementStateFailed, &sql.ServiceError{Message: "[PARSE_SYNTAX_ERROR] at " + f.statement[id]})
	}
	response := status(sql.StatementStateSucceeded, nil)
	response.Manifest = &sql.ResultManifest{Schema: &sql.ResultSchema{Columns: f.columns}, TotalRowCount: int64(len(rows)), Truncated: f.truncated}
	response.Result = f.chunk(id, 0)
	return response
}

func (f *fakeWarehouse) chunk(id string, index int) *sql.ResultData {
	rows := f.results[f.statement[id]]
	from := index * f.chunkRows
	to := min(from+f.chunkRows, len(rows))
	data := &sql.ResultData{ChunkIndex: index, DataArray: rows[from:to]}
	if to < len(rows) {
		data.NextChunkIndex = index + 1
	}
	return data
}

func warehouse(f *fakeWarehouse) *Warehouse {
	return &Warehouse{Statements: f, ID: "w1", Schema: "main.pins",
		pause: func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) }}
}

var kinds = []string{"pin", "geo", "user"}

const medians = "SELECT age_group, median_follower_count FROM `main`.`pins`.`median_followers_by_age_group`"

func TestFetch(t *testing.T) {
	t.Run("reads_all_chunks_typed_and_in_order", func(t *testing.T) {
		for _, chunkRows := range []int{1, 2, 3, 100} {
			f := newFake(map[string][][]string{medians: {{"50+", "1000000.0"}, {"18-24", "106000.0"}, {"36-50", "2.5"}, {"18-24", "9"}, {"", "1"}}})
			f.chunkRows = chunkRows
			answer, err := warehouse(f).Fetch(t.Context(), known[5])
			require.NoError(t, err)
			require.Equal(t, [][]any{{nil, 1.0}, {"18-24", 9.0}, {"18-24", 106000.0}, {"36-50", 2.5}, {"50+", 1000000.0}}, answer.Rows)
		}
	})

	t.Run("waits_for_a_statement_that_takes_long", func(t *testing.T) {
		f := newFake(map[string][][]string{medians: {{"50+", "1"}}})
		f.polls = 7
		answer, err := warehouse(f).Fetch(t.Context(), known[5])
		require.NoError(t, err)
		require.Len(t, answer.Rows, 1)
		require.Zero(t, f.running["s0"])
		require.Empty(t, f.cancelled)
	})

	t.Run("says_what_to_do_before_the_first_run", func(t *testing.T) {
		f := newFake(nil)
		f.missing = true
		_, err := warehouse(f).Fetch(t.Context(), known[0])
		require.ErrorIs(t, err, ErrMissing)
		require.ErrorContains(t, err, "no answers yet")
		require.ErrorContains(t, err, "starter run")
		_, err = warehouse(f).Export(t.Context(), known, kinds)
		require.ErrorIs(t, err, ErrMissing)
	})

	t.Run("reads_the_columns_of_an_unknown_table", func(t *testing.T) {
		f := newFake(map[string][][]string{"SELECT * FROM `main`.`pins`.`posts_by_weekday`": {{"Tue", "7", "1.5"}, {"Mon", "12", "2"}}})
		f.columns = []sql.ColumnInfo{
			{Name: "weekday", TypeName: sql.ColumnInfoTypeNameString}, {Name: "posts", TypeName: sql.ColumnInfoTypeNameLong},
			{Name: "share", TypeName: sql.ColumnInfoTypeNameDouble},
		}
		answer, err := warehouse(f).Fetch(t.Context(), Tables([]string{"posts_by_weekday"})[0])
		require.NoError(t, err)
		require.Equal(t, "posts_by_weekday", answer.Title)
		require.Equal(t, []string{"weekday", "posts", "share"}, answer.ColumnNames())
		require.Equal(t, [][]any{{"Mon", int64(12), 2.0}, {"Tue", int64(7), 1.5}}, answer.Rows)
	})
}

func TestQuery(t *testing.T) {
	t.Run("cancels_a_statement_that_nobody_waits_for", func(t *testing.T) {
		f := newFake(map[string][][]string{"SELECT 1": {{"1"}}})
		f.polls = 1 << 30
		ctx, cancel := context.WithCancelCause(t.Context())
		w := warehouse(f)
		w.pause = func(ctx context.Context, _ time.Duration) error {
			cancel(errors.New("Ctrl-C"))
			return context.Cause(ctx)
		}
		_, err := w.Query(ctx, "SELECT 1")
		require.ErrorContains(t, err, "Ctrl-C")
		require.Equal(t, []string{"s0"}, f.cancelled)
	})

	t.Run("refuses_what_is_no_whole_result", func(t *testing.T) {
		for name, row := range map[string]struct {
			change func(*fakeWarehouse, *Warehouse)
			want   string
		}{
			"cut":           {func(f *fakeWarehouse, _ *Warehouse) { f.truncated = true }, "cut the result"},
			"refused":       {func(f *fakeWarehouse, _ *Warehouse) { f.execute = errors.New("403 Invalid access token") }, "Invalid access token"},
			"wrong":         {func(f *fakeWarehouse, _ *Warehouse) { f.results = nil }, "PARSE_SYNTAX_ERROR"},
			"no warehouse":  {func(_ *fakeWarehouse, w *Warehouse) { w.ID = "" }, "PINFLOW_WAREHOUSE_ID"},
			"not a number":  {func(f *fakeWarehouse, _ *Warehouse) { f.results[medians] = [][]string{{"50+", "many"}} }, "median_follower_count"},
			"other columns": {func(f *fakeWarehouse, _ *Warehouse) { f.results[medians] = [][]string{{"50+"}} }, "1 values, want 2"},
		} {
			t.Run(name, func(t *testing.T) {
				f := newFake(map[string][][]string{medians: {{"50+", "1"}, {"18-24", "2"}, {"36-50", "3"}}})
				w := warehouse(f)
				row.change(f, w)
				_, err := w.Fetch(t.Context(), known[5])
				require.ErrorContains(t, err, row.want)
			})
		}
	})
}

// results holds an export as a warehouse would: what Export asks, and the rows in another order.
func results(w *Warehouse, e Export) map[string][][]string {
	text := func(v any) string {
		if f, ok := v.(float64); ok {
			return strings.TrimSuffix(fmt.Sprintf("%f", f), "00000") // 106000.0, as Spark writes it
		}
		return fmt.Sprint(v)
	}
	all := map[string][][]string{}
	for _, table := range known {
		statement := "SELECT " + strings.Join(table.ColumnNames(), ", ") + " FROM " + w.Name(table.Name)
		all[statement] = [][]string{}
		for i := len(e.Answers[table.Name]) - 1; i >= 0; i-- {
			row := make([]string, len(table.Columns))
			for j, v := range e.Answers[table.Name][i] {
				if kind := table.Columns[j].Kind; kind == Integer || kind == Year {
					v = int64(v.(float64))
				}
				row[j] = text(v)
			}
			all[statement] = append(all[statement], row)
		}
	}
	for _, kind := range kinds {
		all["SELECT count(*) FROM "+w.Name(kind)] = [][]string{{fmt.Sprint(e.Rows[kind])}}
		reasons := [][]string{}
		for key, n := range e.Rejected {
			if reason, ok := strings.CutPrefix(key, kind+":"); ok {
				reasons = append(reasons, []string{reason, fmt.Sprint(n)})
			}
		}
		all["SELECT reason, count(*) FROM "+w.Name(kind+"_quarantine")+" GROUP BY reason"] = reasons
	}
	return all
}

func TestExport(t *testing.T) {
	t.Run("gives_back_the_document_that_the_tables_hold", func(t *testing.T) {
		documents := map[string][]byte{"own": []byte(ownDocument)}
		shared := os.Getenv("PINFLOW_SHARED")
		if shared == "" {
			shared = "../../../shared"
		}
		if expected, err := os.ReadFile(filepath.Join(shared, "data", "posts", "expected.json")); err == nil {
			documents["expected.json"] = expected
		}
		for name, document := range documents {
			t.Run(name, func(t *testing.T) {
				var want Export
				require.NoError(t, json.Unmarshal(document, &want))
				f := newFake(nil)
				w := warehouse(f)
				f.results = results(w, want)
				got, err := w.Export(t.Context(), known, kinds)
				require.NoError(t, err)
				body, err := json.Marshal(got)
				require.NoError(t, err)
				require.JSONEq(t, string(document), string(body))
			})
		}
	})
}

const ownDocument = `{
 "rows": {"pin": 3, "geo": 2, "user": 0},
 "rejected": {"pin:follower_count": 18, "pin:not a pin record": 1, "user:not a user record": 4},
 "answers": {
  "most_popular_category_by_country": [["Albania", "art", 11], ["Albania", "quotes", 11], ["Åland", "art", 2]],
  "most_popular_category_by_year": [[2018, "art", 7], [2019, "art", 9]],
  "most_followed_user_by_country": [["Albania", "Ann \"A\" B", 5000000]],
  "country_of_most_followed_user": [],
  "most_popular_category_by_age_group": [["18-24", "tattoos", 22]],
  "median_followers_by_age_group": [["18-24", 106000.0], ["25-35", 2.5]],
  "users_joined_by_year": [[2015, 310]],
  "median_followers_by_joining_year": [[2015, 1500.5]],
  "median_followers_by_joining_year_and_age_group": [["18-24", 2015, 1.0], ["18-24", 2016, 0.5], ["50+", 2015, 3.0]]
 }
}`
