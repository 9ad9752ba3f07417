package activities

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// warehouse returns the same rows for every statement.
type warehouse struct {
	statements []string
	rows       [][]string
	err        error
}

func (w *warehouse) Query(_ context.Context, statement string) ([][]string, error) {
	w.statements = append(w.statements, statement)
	return w.rows, w.err
}

func (w *warehouse) Name(table string) string { return "`s`.`" + table + "`" }

func TestCountRows(t *testing.T) {
	t.Run("counts_the_dates_rows_records_and_quarantine", func(t *testing.T) {
		w := &warehouse{rows: [][]string{
			{"pin", "2022-10-18", "867"}, {"pin", "2022-10-20", "1"}, {"pin_quarantine", "2022-10-18", "18"}, {"raw", "2022-10-18", "1326"},
		}}
		got, err := activitytest.Execute[RowCounts]((&Counting{Warehouse: w, Topics: run.Topics{UserID: "u"}}).CountRows,
			CountRowsInput{Dates: []dates.Date{day, day.Add(1), day.Add(2)}, Cleans: "pin"})
		require.NoError(t, err)
		require.Equal(t, RowCounts{Counted: true, Dates: []DateCounts{{Rows: 867, Records: 1326, Quarantined: 18}, {}, {Rows: 1}}}, got)
		const days = " WHERE logical_date IN (DATE'2022-10-18', DATE'2022-10-19', DATE'2022-10-20')"
		require.Equal(t, []string{"SELECT name, counted_date, n FROM (" +
			"SELECT 0 AS place, 'pin' AS name, CAST(logical_date AS STRING) AS counted_date, count(*) AS n FROM `s`.`pin_by_date`" + days + " AND reason IS NULL GROUP BY logical_date UNION ALL " +
			"SELECT 1 AS place, 'pin_quarantine' AS name, CAST(logical_date AS STRING) AS counted_date, count(*) AS n FROM `s`.`pin_quarantine`" +
			days + " AND topic IN ('u.pin', 'Pinterest_data') GROUP BY logical_date UNION ALL " +
			"SELECT 2 AS place, 'raw' AS name, CAST(logical_date AS STRING) AS counted_date, count(*) AS n FROM `s`.`raw`" +
			days + " AND topic IN ('u.pin', 'Pinterest_data') GROUP BY logical_date" +
			") AS counts ORDER BY place"}, w.statements)
	})

	t.Run("counts_the_rebuilt_tables", func(t *testing.T) {
		w := &warehouse{rows: [][]string{{"a", "", "3"}, {"b", "", "0"}}}
		got, err := activitytest.Execute[RowCounts]((&Counting{Warehouse: w}).CountRows, CountRowsInput{Dates: []dates.Date{day}, Rebuilds: []string{"a", "b"}})
		require.NoError(t, err)
		require.Equal(t, RowCounts{Counted: true, Dates: []DateCounts{{Rows: 3}}, Tables: []run.TableRows{{Table: "a", Rows: 3}, {Table: "b"}}}, got)
	})

	t.Run("without_a_warehouse_nothing_is_counted", func(t *testing.T) {
		got, err := activitytest.Execute[RowCounts]((&Counting{}).CountRows, CountRowsInput{Dates: []dates.Date{day}, Cleans: "pin"})
		require.NoError(t, err)
		require.Equal(t, RowCounts{}, got)
	})

	t.Run("an_unexpected_answer_is_an_error", func(t *testing.T) {
		for _, w := range []*warehouse{{rows: [][]string{{"pin"}}}, {rows: [][]string{{"pin", "2022-10-18", "many"}}}, {rows: [][]string{{"pin", "2022-10-19", "3"}}}, {err: errors.New("no connection")}} {
			_, err := activitytest.Execute[RowCounts]((&Counting{Warehouse: w}).CountRows, CountRowsInput{Dates: []dates.Date{day}, Cleans: "pin"})
			require.Error(t, err)
		}
	})
}
