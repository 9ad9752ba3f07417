package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/starter/exit"
)

// rejected is a world whose warehouse has records of posts in quarantine, and none of the others.
func rejected() *world {
	w := newWorld()
	w.sql.results = map[string][][]string{
		"`pin_quarantine` WHERE logical_date = DATE'2022-10-18' AND topic IN ('pinflow.pin', 'Pinterest_data')": {
			{"follower_count", "3", "0", "7", "0", "s3://pinflow/topics/a.json", `{"follower_count":"many",` + "\n" + `"description":"` + strings.Repeat("long ", 40) + `"}`, "false", "pinflow.pin"},
			{"follower_count", "3", "2", "11", "4", "s3://pinflow/topics/b.json", `{"follower_count":"few"}`, "false", "Pinterest_data"},
			{"index", "1", "1", "5", "0", "s3://pinflow/topics/c.json", `{}`, "false", "pinflow.pin"},
			{"not a pin record", "1", "1", "6", "0", "s3://pinflow/topics/c.json", "", "true", "pinflow.pin"},
		},
		"`geo_quarantine` WHERE":  {},
		"`user_quarantine` WHERE": {},
	}
	return w
}

func TestQuarantine(t *testing.T) {
	t.Run("shows_reasons_counts_and_examples_with_their_places", func(t *testing.T) {
		t.Setenv("COLUMNS", "80")
		code, stdout, stderr := rejected().line(t, "quarantine 2022-10-18")
		require.Zero(t, code, stderr)
		golden(t, "quarantine", stdout)
		for line := range strings.Lines(stdout) {
			require.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), 80, line)
		}
	})

	t.Run("is_also_for_programs", func(t *testing.T) {
		for _, topic := range []string{"pin", "pinflow.pin"} {
			w := rejected()
			code, stdout, stderr := w.line(t, "quarantine 2022-10-18 "+topic+" --examples 1 -o json")
			require.Zero(t, code, stderr)
			var found struct{ Topics []answers.Quarantined }
			require.NoError(t, json.Unmarshal([]byte(stdout), &found))
			require.Len(t, found.Topics, 1)
			require.EqualValues(t, 5, found.Topics[0].Records)
			require.EqualValues(t, 3, found.Topics[0].Reasons[0].Records)
			require.Len(t, found.Topics[0].Reasons[0].Examples, 1)
			require.Contains(t, found.Topics[0].Reasons[0].Examples[0].Text, "long long", "the text is not cut to the screen")
			require.Contains(t, w.sql.asked[0], "place <= 1 ")
		}
	})

	t.Run("says_what_is_wrong", func(t *testing.T) {
		for name, c := range map[string]struct {
			line   string
			change func(*world)
			code   int
			want   string
		}{
			"an unknown topic":  {"quarantine 2022-10-18 pins", nil, exit.Usage, `no task of pipeline cleans "pins"; the topics are pin, geo, user`},
			"no warehouse":      {"quarantine 2022-10-18", func(w *world) { w.settings.Warehouse = "" }, exit.Failed, "there is no SQL warehouse: set PINFLOW_WAREHOUSE_ID"},
			"nothing cleaned":   {"quarantine 2022-10-18 geo", func(w *world) { w.sql.results = nil }, exit.Failed, "no records of geo have been cleaned yet in schema pinterest: run the DAG first"},
			"a negative number": {"quarantine 2022-10-18 --examples -1", nil, exit.Usage, "--examples -1: want 0 or more"},
			"no date":           {"quarantine soon", nil, exit.Usage, `"soon" is not a date`},
		} {
			w := rejected()
			if c.change != nil {
				c.change(w)
			}
			code, _, stderr := w.line(t, c.line)
			require.Equal(t, c.code, code, "%s: %s", name, stderr)
			require.Contains(t, stderr, c.want, name)
		}
	})
}
