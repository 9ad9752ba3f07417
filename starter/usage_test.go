package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/starter/exit"
)

func TestStarter(t *testing.T) {
	t.Run("refuses_wrong_use_before_it_touches_anything", func(t *testing.T) {
		t.Parallel()
		for line, reasons := range map[string][]string{
			"":                                    nil, // the help
			"nosuch":                              {`unknown command "nosuch"`},
			"rnu":                                 {`unknown command "rnu"`, "did you mean run"},
			"schedule":                            nil,
			"schedule paus":                       {`unknown command "paus"`, "did you mean pause"},
			"run --nosuch":                        {"unknown flag: --nosuch"},
			"run 2022-13-01":                      {`"2022-13-01" is not a date`, "YYYY-MM-DD"},
			"run tomorrow":                        {`"tomorrow" is not a date`, "today or yesterday"},
			"run 2022-10-20":                      {"2022-10-20 is in the future", "2022-10-19"},
			"run 2022-10-18 2022-10-19":           {"accepts at most 1 arg"},
			"run --param invalid_followers":       {"write it as name=value"},
			"run --param followers=null":          {`parameter "followers" is unknown`, "invalid_followers", "schema"},
			"run --param logical_date=2022-01-01": {`parameter "logical_date" is unknown`},
			"run --param invalid_followers=drop":  {`invalid_followers="drop": want quarantine or null`},
			"run --reprocess some":                {`--reprocess "some"`, "none, failed or all"},
			"run 2023-01-01 --param a=b --reprocess x":                  {"in the future", `parameter "a" is unknown`, `--reprocess "x"`},
			"run --accept-gaps":                                         {"--accept-gaps needs --reason"},
			"run --reason holiday":                                      {"--reason is that of --accept-gaps"},
			"land 2022-10-18":                                           {"land needs --dry-run", "starter run 2022-10-18"},
			"run -o csv":                                                {"-o csv", "prints table, json"},
			"backfill":                                                  {"needs --from and --to"},
			"backfill --from 2022-10-01":                                {"needs --from and --to"},
			"backfill --from 2022-10-05 --to 2022-10-1":                 {`--to: "2022-10-1" is not a date`},
			"backfill --from 2022-10-05 --to 2022-10-01":                {"--from 2022-10-05 comes after --to 2022-10-01"},
			"backfill --from 2022-10-01 --to 2022-10-20":                {"--to: 2022-10-20 is in the future"},
			"backfill --from 2022-10-01 --to 2022-10-02 --parallel 0":   {"--parallel 0"},
			"backfill --from 2022-10-01 --to 2022-10-02 --parallel 501": {"--parallel 501", "500"},
			"backfill --from 2022-10-01 --to 2022-10-02 x":              {`unknown command "x"`},
			"status --watch":                                            {"name one as YYYY-MM-DD", "starter status 2022-10-18 --watch"},
			"status --days 0":                                           {"--days 0", "want 1 to 1000"},
			"status 2022-10-18 --days 3":                                {"--days cannot be combined with a date"},
			"schedule apply --cron @daily --timezone Mars/Utopia":       {"@daily is not supported", `time zone "Mars/Utopia" is unknown`},
			"schedule apply --timezone Africa/Cairo":                    {"on 2023-04-28 clocks are set forward over 00:00", "UTC, or another hour"},
			"schedule apply --reason holiday":                           {"give it with --paused"},
			"schedule pause --reason=":                                  {"--reason is empty"},
			"schedule resume --max 3 --parallel 2":                      {"--max is about", "--parallel is about", "--catchup"},
			"schedule resume --catchup --max 0":                         {"--max 0"},
			"schedule resume --catchup --parallel 501":                  {"--parallel 501", "500"},
			"schedule next -n 0":                                        {"-n 0", "want 1 to 1000"},
			"schedule next -n 1001":                                     {"-n 1001"},
			"schedule delete":                                           {"needs --yes"},
			"status 18.10.2022":                                         {`"18.10.2022" is not a date`},
			"runs --state done":                                         {"--state done", "running, held, blocked, success, failed, cancelled"},
			"runs --limit 0":                                            {"--limit 0"},
			"graph -o svg":                                              {"-o svg", "text, mermaid, dot, json"},
			"answers nosuch":                                            {`no task of pipeline rebuilds "nosuch"`, "users_joined_by_year"},
			"answers -o csv":                                            {"-o csv prints one table"},
			"answers -o xml":                                            {"-o xml", "table, json, csv"},
			"doctor now":                                                {`unknown command "now"`},
			"notebooks pull":                                            {`unknown command "pull"`},
			"schedule pause holiday":                                    {`unknown command "holiday"`},
			"schedule resume --nosuch":                                  {"unknown flag"},
			"setup --output yaml":                                       {"-o yaml", "table, json"},
			"emulate --count -1 -o table":                               {"--count -1"},
		} {
			t.Run(line, func(t *testing.T) {
				w := newWorld()
				code, stdout, stderr := w.starter(t, strings.Fields(line)...)
				require.Equal(t, exit.Usage, code, stderr)
				require.Empty(t, w.touched, "no system is touched")
				if reasons == nil {
					require.Contains(t, stdout, "Usage:")
					return
				}
				require.Empty(t, stdout)
				for _, reason := range reasons {
					require.Contains(t, stderr, reason)
				}
				require.Contains(t, stderr, "--help`", "the reader is told where to read on")
			})
		}
	})

	t.Run("refuses_a_settings_file_that_does_not_exist", func(t *testing.T) {
		w := realSettings(t)
		code, stdout, stderr := w.line(t, "--env-file nosuch.env runs")
		require.Equal(t, exit.Usage, code)
		require.Empty(t, stdout)
		require.Empty(t, w.touched)
		for _, reason := range []string{"nosuch.env", "no such file", "--help`"} {
			require.Contains(t, stderr, reason)
		}
	})

	t.Run("refuses_wrong_settings_by_their_names", func(t *testing.T) {
		w := realSettings(t)
		t.Setenv("PINFLOW_INVALID_FOLLOWERS", "drop")
		t.Setenv("PINFLOW_KAFKA_PARTITIONS", "0")
		code, _, stderr := w.starter(t, "runs")
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, "PINFLOW_INVALID_FOLLOWERS")
		require.Contains(t, stderr, "PINFLOW_KAFKA_PARTITIONS")

		for _, line := range []string{"version", "graph", "completion bash", "help run"} { // they need no settings
			code, _, stderr = w.starter(t, strings.Fields(line)...)
			require.Equal(t, exit.Done, code, "%s: %s", line, stderr)
		}
	})

	t.Run("reads_the_named_settings_file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "my.env")
		require.NoError(t, os.WriteFile(file, []byte("PINFLOW_BUCKET=theirs\n"), 0o600))
		t.Setenv("PINFLOW_BUCKET", "") // puts back afterwards what stood there
		require.NoError(t, os.Unsetenv("PINFLOW_BUCKET"))
		w := realSettings(t)
		_, stdout, _ := w.starter(t, "--env-file", file, "doctor")
		require.Contains(t, stdout, "s3://theirs/pinflow is writable")
	})

	t.Run("says_what_to_do_if_a_system_cannot_be_reached", func(t *testing.T) {
		t.Parallel()
		refused := serviceerror.NewUnavailable("connection refused")
		away := map[string]error{
			"temporal":  (&temporal.Connection{Address: "temporal:7233"}).Classify(refused),
			"workspace": &fault.Error{Kind: fault.Unreachable, What: "cannot reach Databricks", Next: "set DATABRICKS_HOST and DATABRICKS_TOKEN", Err: refused},
			"kafka":     kafka.ErrUnreachable,
		}
		for line, row := range map[string]struct{ system, want string }{
			"run 2022-10-18":                             {"temporal", "TEMPORAL_ADDRESS"},
			"run 2022-10-18 --wait -o json":              {"temporal", "make stack"},
			"backfill --from 2022-10-01 --to 2022-10-01": {"temporal", "cannot reach Temporal at temporal:7233"},
			"status 2022-10-18":                          {"temporal", "TEMPORAL_ADDRESS"},
			"runs":                                       {"temporal", "TEMPORAL_ADDRESS"},
			"schedule show":                              {"temporal", "TEMPORAL_ADDRESS"},
			"schedule apply":                             {"temporal", "TEMPORAL_ADDRESS"},
			"answers":                                    {"workspace", "DATABRICKS_HOST"},
			"answers users_joined_by_year":               {"workspace", "DATABRICKS_HOST"},
			"notebooks diff":                             {"workspace", "DATABRICKS_HOST"},
			"notebooks push":                             {"workspace", "DATABRICKS_HOST"},
			"setup":                                      {"kafka", "PINFLOW_KAFKA_BROKERS"},
		} {
			t.Run(line, func(t *testing.T) {
				w := newWorld()
				w.down[row.system] = away[row.system]
				code, stdout, stderr := w.starter(t, strings.Fields(line)...)
				require.Equal(t, exit.Unreachable, code, stderr)
				require.Contains(t, stderr, "cannot reach")
				require.Contains(t, stderr, row.want)
				require.Empty(t, stdout)
				require.NotContains(t, stderr, "--help", "the command was used well")
			})
		}
	})

	t.Run("paints_only_for_a_terminal", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		_, plain, _ := w.starter(t, "doctor")
		require.NotContains(t, plain, "\x1b[")
		w.color = true
		_, painted, _ := w.starter(t, "doctor")
		require.Contains(t, painted, "\x1b[32mok")
	})

	t.Run("has_each_command_once", func(t *testing.T) {
		t.Parallel()
		var names []string
		for _, c := range newWorld().app(nil, nil).command().Commands() {
			require.NotContains(t, names, c.Name())
			require.NotEmpty(t, c.Short, c.Name())
			names = append(names, c.Name())
		}
		require.Subset(t, names, []string{"run", "backfill", "schedule", "status", "runs", "graph", "answers", "notebooks", "emulate", "setup", "doctor", "demo", "version"})
	})

	t.Run("completes_names", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		_, stdout, _ := w.starter(t, "__complete", "answers", "users")
		require.Contains(t, stdout, "users_joined_by_year")
		_, stdout, _ = w.starter(t, "__complete", "run", "--param", "inv")
		require.Contains(t, stdout, "invalid_followers=")
		_, stdout, _ = w.starter(t, "__complete", "backfill", "--reprocess", "")
		require.Contains(t, stdout, "failed")
		require.Empty(t, w.touched)
	})
}

// realSettings makes a world read the environment and the files that are named; there are no
// default ones.
func realSettings(t *testing.T) *world {
	t.Chdir(t.TempDir())
	t.Setenv(config.StackVariable, "")
	w := newWorld()
	w.load = config.LoadOperator
	return w
}

func TestVersion(t *testing.T) {
	t.Parallel()
	t.Run("is_that_of_the_build", func(t *testing.T) {
		t.Parallel()
		code, stdout, _ := newWorld().starter(t, "version")
		require.Zero(t, code)
		require.Equal(t, fmt.Sprintf("starter %s (%s)\n", buildID, runtime.Version()), stdout)
		_, stdout, _ = newWorld().starter(t, "version", "-o", "json")
		require.Contains(t, stdout, `"version": "`+config.Version+`"`)
		require.Contains(t, stdout, `"buildId": "`+buildID+`"`)
	})
}
