package dag

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
)

func TestExpect(t *testing.T) {
	t.Run("check_reports_everything_with_its_figures", func(t *testing.T) {
		for name, c := range map[string]struct {
			expect Expect
			out    run.Outcome
			want   string
		}{
			"nothing expected":         {Expect{}, run.Outcome{}, ""},
			"enough rows":              {Expect{MinRows: 3}, run.Outcome{Rows: 3}, ""},
			"too few rows":             {Expect{MinRows: 3}, run.Outcome{Rows: 2}, "2 rows, expected at least 3"},
			"share met":                {Expect{MaxQuarantined: 25}, run.Outcome{Records: 4, Quarantined: 1}, ""},
			"share broken":             {Expect{MaxQuarantined: 20}, run.Outcome{Records: 4, Quarantined: 1}, "1 of 4 records quarantined, 25.0 %, expected at most 20 %"},
			"more elements than all":   {Expect{MaxQuarantined: 99}, run.Outcome{Records: 1, Quarantined: 5}, "5 of 1 records quarantined, 100.0 %, expected at most 99 %"},
			"no records":               {Expect{MaxQuarantined: 1}, run.Outcome{}, ""},
			"tables":                   {Expect{NotEmpty: true}, run.Outcome{Tables: []run.TableRows{{Table: "a", Rows: 1}}}, ""},
			"a table is empty":         {Expect{NotEmpty: true}, run.Outcome{Tables: []run.TableRows{{Table: "a", Rows: 1}, {Table: "b"}}}, "table b is empty"},
			"no tables at all":         {Expect{NotEmpty: true}, run.Outcome{}, "no tables, expected some that are not empty"},
			"all mistakes, one by one": {Expect{MinRows: 1, MaxQuarantined: 1}, run.Outcome{Records: 1, Quarantined: 1}, "0 rows, expected at least 1\n1 of 1 records quarantined, 100.0 %, expected at most 1 %"},
		} {
			err := c.expect.Check(c.out)
			if c.want == "" {
				require.NoError(t, err, name)
				continue
			}
			require.EqualError(t, err, c.want, name)
		}
	})
}
