package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if child := os.Getenv(childVariable); child != "" {
		exit(measureHere(context.Background(), child, os.Stdout))
	}
	os.Exit(m.Run())
}

func TestBench(t *testing.T) {
	t.Run("measures_each_notebook", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "table.md")
		o, err := parse([]string{"--posts", "300", "--engines", "bare,duckdb", "--out", out})
		require.NoError(t, err)
		require.NoError(t, run(t.Context(), o))
		content, err := os.ReadFile(out)
		require.NoError(t, err)
		for _, step := range []string{"read and parse the lines", "and the records in them", "load", "clean_pin", "clean_geo", "clean_user", "query", again, "all five"} {
			require.Regexp(t, `\| 300 +\| (bare|duckdb) +\| `+step+` +\| \d+\.\d s +\| \d+\.\d s +\| \d+ MB +\|`, string(content))
		}
	})

	t.Run("has_records_of_the_lengths_of_real_ones", func(t *testing.T) {
		bytes := map[string]int{}
		for _, kind := range []string{"pin", "geo", "user"} {
			day, again := newDay(3000), newDay(3000)
			broken := 0
			for range 3000 {
				_, record := day.next(kind)
				_, same := again.next(kind)
				require.Equal(t, record, same, "a day is the same each time")
				bytes[kind] += len(record)
				if !json.Valid(record) {
					broken++
				}
			}
			require.Less(t, broken, 10)
			require.Less(t, day.made, 2251, "a quarter is sent again")
		}
		require.InDelta(t, 735, bytes["pin"]/3000, 40)
		require.InDelta(t, 110, bytes["geo"]/3000, 15)
		require.InDelta(t, 100, bytes["user"]/3000, 15)
	})

	t.Run("says_what_a_flag_wants", func(t *testing.T) {
		t.Setenv("PINFLOW_SPARK", "")
		for argument, want := range map[string]string{"--posts=x": "want numbers", "--engines=flink": "want bare, duckdb or spark", "--engines=spark": "PINFLOW_SPARK is not set"} {
			_, err := parse([]string{argument})
			require.ErrorContains(t, err, want)
		}
	})
}
