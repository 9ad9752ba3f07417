package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/starter/exit"
)

func TestReport(t *testing.T) {
	t.Run("errors_are_json_if_that_was_asked_for", func(t *testing.T) {
		for line, c := range map[string]struct {
			change func(*world)
			code   int
			says   string
			hint   string
		}{
			"status 2022-10-06 -o json":          {nil, exit.Failed, "2022-10-06 has not run yet", ""},
			"-o json run 2022-13-01":             {nil, exit.Usage, `"2022-13-01" is not a date`, "see `starter run --help`"},
			"runs --bogus --output json":         {nil, exit.Usage, "unknown flag: --bogus", "see `starter runs --help`"},
			"status 2022-10-17 --days 3 -o=json": {nil, exit.Usage, "--days cannot be combined", "see `starter status --help`"},
			"grid -o json": {func(w *world) {
				w.down["bucket"] = &fault.Error{Kind: fault.Unreachable, What: "cannot reach S3", Next: "start it", Err: serviceerror.NewUnavailable("refused")}
			}, exit.Unreachable, "cannot reach S3", "start it"},
			"calendar -ojson": {func(w *world) {
				w.temporal.queryErr = serviceerror.NewFailedPrecondition("no poller")
			}, exit.Unreachable, "not everything is known: no worker polls task queue", "start one with `bin/workers`"},
		} {
			t.Run(line, func(t *testing.T) {
				w := fortnight(t)
				if c.change != nil {
					c.change(w)
				}
				code, stdout, stderr := w.line(t, line)
				require.Equal(t, c.code, code)
				var printed struct {
					Error    string `json:"error"`
					ExitCode int    `json:"exitCode"`
					Hint     string `json:"hint"`
				}
				require.Equal(t, 1, strings.Count(stderr, "\n"), "one line")
				require.NoError(t, json.Unmarshal([]byte(stderr), &printed), stderr)
				require.Equal(t, c.code, printed.ExitCode)
				require.Contains(t, printed.Error, c.says)
				require.Contains(t, printed.Hint, c.hint)
				if strings.HasPrefix(line, "calendar") {
					require.True(t, json.Valid([]byte(stdout)), "what is known is printed")
				}
			})
		}
	})

	t.Run("errors_are_text_otherwise", func(t *testing.T) {
		_, _, stderr := newWorld().line(t, "run 2022-13-01")
		require.Contains(t, stderr, "starter: date: \"2022-13-01\" is not a date")
	})
}

func TestDates(t *testing.T) {
	t.Run("today_and_yesterday_are_dates_of_every_command", func(t *testing.T) {
		for line, want := range map[string]string{
			"status yesterday":                               "pipeline of 2022-10-18",
			"gantt yesterday":                                "pipeline of 2022-10-18",
			"graph yesterday":                                "pipeline of 2022-10-18",
			"diff 2022-10-17 yesterday":                      "2022-10-18",
			"grid --from 2022-10-14 --to today":              "from 2022-10-14 to 2022-10-19",
			"note yesterday":                                 "no notes on 2022-10-18",
			"backfill --from yesterday --to today --dry-run": "2022-10-19   none",
		} {
			_, stdout, stderr := fortnight(t).line(t, line)
			require.Contains(t, stdout, want, "%s\n%s", line, stderr)
		}
		w := fortnight(t)
		asked := ""
		list := w.temporal.list
		w.temporal.list = func(query string) ([]*workflowpb.WorkflowExecutionInfo, error) {
			asked = query
			return list(query)
		}
		code, _, stderr := w.line(t, "runs --from yesterday --to today")
		require.Zero(t, code, stderr)
		require.Contains(t, asked, "PinflowDate >= '2022-10-18T00:00:00Z' AND PinflowDate < '2022-10-20T00:00:00Z'")
	})
}
