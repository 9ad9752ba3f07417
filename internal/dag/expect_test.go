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
	t.Run("warnings_have_their_figures_and_break_nothing", func(t *testing.T) {
		for name, c := range map[string]struct {
			expect Expect
			out    run.Outcome
			want   []string
		}{
			"nothing":               {Expect{}, run.Outcome{Counted: true}, nil},
			"half is not more":      {Expect{WarnQuarantined: 50}, run.Outcome{Counted: true, Records: 4, Quarantined: 2}, nil},
			"more than half":        {Expect{WarnQuarantined: 50}, run.Outcome{Counted: true, Records: 4, Quarantined: 3}, []string{"3 of 4 records quarantined, 75.0 %, more than 50 %"}},
			"all":                   {Expect{WarnQuarantined: 50}, run.Outcome{Counted: true, Records: 4, Quarantined: 4}, []string{"4 of 4 records quarantined, 100.0 %, more than 50 %"}},
			"no records":            {Expect{WarnEmpty: true}, run.Outcome{Counted: true}, []string{"no records"}},
			"some records":          {Expect{WarnEmpty: true}, run.Outcome{Counted: true, Rows: 1}, nil},
			"rejected, but not few": {Expect{WarnEmpty: true}, run.Outcome{Counted: true, Records: 2, Quarantined: 2}, nil},
			"not counted":           {Expect{WarnEmpty: true, WarnQuarantined: 50}, run.Outcome{}, nil},
		} {
			require.Equal(t, c.want, c.expect.Warnings(c.out), name)
			require.NoError(t, c.expect.Check(c.out), name)
			require.False(t, c.expect.Demands(), name)
		}
	})
}
