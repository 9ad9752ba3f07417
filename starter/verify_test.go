package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/verify"
	"github.com/pinflow/pinflow/starter/verify/verifytest"
)

// landedWorld is a world in which two dates have landed, the later one in part.
func landedWorld(t *testing.T) (*world, *verifytest.World) {
	t.Helper()
	kinds := []string{"pin", "geo", "user"}
	landed := verifytest.New(2, kinds...)
	for _, kind := range kinds {
		for hour := range 34 {
			landed.Kafka.Produce(verifytest.Topic(kind), hour%2, dates.Date("2022-10-18").Start().Add(time.Duration(hour)*time.Hour), fmt.Sprintf(`{"index":%d}`, hour))
		}
		for _, date := range []dates.Date{"2022-10-18", "2022-10-19"} {
			require.NoError(t, landed.Land(kind, date, noon))
		}
	}
	w := newWorld()
	w.settings.UserID, w.records, w.bucket.Memory = verifytest.UserID, landed.Kafka, landed.Bucket
	return w, landed
}

func TestVerify(t *testing.T) {
	t.Parallel()
	t.Run("shows_what_is_there_and_what_is_wrong", func(t *testing.T) {
		t.Parallel()
		w, landed := landedWorld(t)
		code, stdout, stderr := w.line(t, "verify --all --skip tables")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "Nothing is wrong in 102 records, as far as it was checked.")
		golden(t, "verify", stdout)

		landed.Kafka.Expire(verifytest.Topic("user"), 0, 5)
		landed.Bucket.Delete("topics/u1.pin/dt=2022-10-18/partition=1/u1.pin+1+0000000005.json")
		require.NoError(t, landed.EditBoundary("geo", "2022-10-18", 0, 1))
		code, stdout, stderr = w.line(t, "verify --from 2022-10-18 --to 2022-10-19 --skip tables")
		require.Equal(t, exit.Failed, code, stderr)
		golden(t, "verify_problems", stdout)
	})

	t.Run("is_also_for_programs", func(t *testing.T) {
		t.Parallel()
		w, landed := landedWorld(t)
		landed.Bucket.Delete("topics/u1.pin/dt=2022-10-18/partition=1/u1.pin+1+0000000005.json")
		code, stdout, stderr := w.line(t, "verify 2022-10-18 --skip tables,kafka -o json")
		require.Equal(t, exit.Failed, code, stderr)
		var report verify.Report
		require.NoError(t, json.Unmarshal([]byte(stdout), &report))
		require.False(t, report.Proven)
		require.Len(t, report.Topics, 3)
		require.Len(t, report.Problems, 1)
		require.Equal(t, "u1.pin", report.Problems[0].Topic)
		require.EqualValues(t, 5, *report.Problems[0].Offset)
		require.Zero(t, report.Topics[0].Kafka)
		require.NotEmpty(t, report.Unchecked, "what was skipped is not proven")
	})

	t.Run("shows_its_progress", func(t *testing.T) {
		t.Parallel()
		w, _ := landedWorld(t)
		_, _, stderr := w.line(t, "verify --all --skip tables")
		require.Regexp(t, `verifying \d+/\d+ \(2022-10-1\d u1\.\w+\)`, stderr)
		require.GreaterOrEqual(t, strings.Count(stderr, "verifying"), 9)
	})

	t.Run("says_which_system_is_down", func(t *testing.T) {
		t.Parallel()
		w, landed := landedWorld(t)
		landed.Kafka.Down = &fault.Error{Kind: fault.Unreachable, What: "cannot reach Kafka", Next: "start it", Err: errors.New("refused")}
		code, stdout, stderr := w.line(t, "verify 2022-10-18 --skip tables")
		require.Equal(t, exit.Unreachable, code)
		require.Contains(t, stderr, "cannot reach Kafka")
		require.Contains(t, stdout, "Nothing is wrong in 72 records, as far as it was checked.")
		require.Contains(t, stdout, "NOT CHECKED")
	})

	t.Run("rejects_what_names_no_dates", func(t *testing.T) {
		t.Parallel()
		for line, want := range map[string]string{
			"verify":                                       "--all",
			"verify 2022-10-18 --all":                      "--all",
			"verify --from 2022-10-18":                     "go together",
			"verify --from 2022-10-18 --to 2022-10-17":     "swap them",
			"verify 2022-10-20":                            "in the future",
			"verify 2022-10-18 --skip objects --skip kafk": "want kafka or tables",
		} {
			w, _ := landedWorld(t)
			code, _, stderr := w.line(t, line)
			require.Equal(t, exit.Usage, code, line)
			require.Contains(t, stderr, want, line)
			require.Empty(t, w.touched, line)
		}
	})
}
