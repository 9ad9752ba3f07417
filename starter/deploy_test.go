package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/starter/builds"
	"github.com/pinflow/pinflow/starter/exit"
)

// versioned is a ready world with three versions: an old one that is draining, one that is drained
// and the current one.
func versioned(t *testing.T) *world {
	w := ready(t)
	w.settings.WorkerVersioning = "on"
	w.temporal.pollers = nil
	w.temporal.addVersion("0.1.0+aaaaaaa", drained, 0)
	w.temporal.addVersion("0.1.0+bbbbbbb", draining, 2)
	w.temporal.addVersion("0.2.0+ccccccc", current, 3)
	w.temporal.poll("0.1.0+aaaaaaa", "one", true)
	w.temporal.poll("0.1.0+bbbbbbb", "two", true)
	w.temporal.poll("0.2.0+ccccccc", "three", true)
	w.temporal.poll("0.2.0+ccccccc", "four", true)
	return w
}

func TestDeployStatus(t *testing.T) {
	t.Parallel()
	t.Run("shows_versions_with_their_runs_and_workers", func(t *testing.T) {
		t.Parallel()
		w := versioned(t)
		w.temporal.addVersion("0.3.0+ddddddd", ramping, 0)
		w.temporal.addVersion("0.3.0+eeeeeee", inactive, 0)
		w.temporal.poll("0.1.0+fffffff", "five", false)
		code, stdout, stderr := w.starter(t, "deploy", "status")
		require.Zero(t, code, stderr)
		golden(t, "deploy-status", stdout)
	})

	t.Run("says_which_may_be_removed", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			status    enumspb.WorkerDeploymentVersionStatus
			runs      int64
			removable bool
			why       string
		}{
			"current":            {current, 0, false, "it starts the new runs"},
			"ramping":            {ramping, 0, false, "it starts 25 % of the new runs"},
			"draining":           {draining, 1, false, "it has 1 open run"},
			"just drained":       {draining, 0, false, "it has no open runs, and Temporal confirms that within a few minutes"},
			"drained":            {drained, 0, true, "it has no open runs"},
			"drained, then used": {drained, 1, false, "it has 1 open run"}, // a run was moved to it: Temporal does not count it
			"never used":         {inactive, 0, true, "it has started no run yet; `starter deploy promote` lets it"},
		} {
			w := ready(t)
			w.temporal.addVersion("0.1.0+aaaaaaa", c.status, c.runs)
			code, stdout, stderr := w.starter(t, "deploy", "status", "-o", "json")
			require.Zero(t, code, stderr)
			var v builds.Versions
			require.NoError(t, json.Unmarshal([]byte(stdout), &v))
			require.Equal(t, []any{c.removable, c.why, c.runs}, []any{v.Versions[0].Removable, v.Versions[0].Why, v.Versions[0].OpenRuns}, name)
		}
	})

	t.Run("counts_only_workers_that_polled_within_the_last_minute", func(t *testing.T) {
		t.Parallel()
		w := versioned(t)
		w.temporal.pollers[3].LastAccessTime = timestamppb.New(noon.Add(-70 * time.Second))
		_, stdout, _ := w.starter(t, "deploy", "status", "-o", "json")
		var v builds.Versions
		require.NoError(t, json.Unmarshal([]byte(stdout), &v))
		require.Len(t, v.Find("0.2.0+ccccccc").Workers, 1)
	})

	t.Run("works_without_versions", func(t *testing.T) {
		t.Parallel()
		code, stdout, stderr := ready(t).starter(t, "deploy", "status")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "new runs start on workers without Worker Versioning")
		require.Contains(t, stdout, "PINFLOW_WORKER_VERSIONING=on")
	})
}

func TestDeployPromote(t *testing.T) {
	t.Parallel()
	t.Run("asks_temporal_for_the_routing", func(t *testing.T) {
		t.Parallel()
		for line, want := range map[string]string{
			"0.1.0+bbbbbbb":                    `current "0.1.0+bbbbbbb", token token, by ann@desk, without pollers false`,
			"0.1.0+bbbbbbb --percentage 12.5":  `ramping "0.1.0+bbbbbbb" 12.5 %, token token, by ann@desk, without pollers false`,
			"0.1.0+bbbbbbb --percentage 100":   `ramping "0.1.0+bbbbbbb" 100 %, token token, by ann@desk, without pollers false`,
			"0.3.0+ddddddd --percentage 0":     `ramping "" 0 %, token token, by ann@desk, without pollers false`,
			"0.3.0+eeeeeee --allow-no-pollers": `current "0.3.0+eeeeeee", token token, by ann@desk, without pollers true`,
			"--unversioned":                    `current "", token token, by ann@desk, without pollers false`,
		} {
			w := versioned(t)
			w.temporal.addVersion("0.3.0+ddddddd", ramping, 0)
			w.temporal.addVersion("0.3.0+eeeeeee", inactive, 0)
			w.temporal.poll("0.1.0+fffffff", "five", false)
			code, stdout, stderr := w.line(t, "deploy promote "+line)
			require.Zero(t, code, line+stderr)
			require.Equal(t, []string{want}, w.temporal.routed, line)
			require.Contains(t, stdout, "Deployment pinflow: new runs start on")
		}
	})

	t.Run("refuses_what_would_leave_runs_without_workers", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			line   string
			change func(*world)
			want   []string
		}{
			"unknown build":          {"0.9.0+aaaaaaa", nil, []string{"no version 0.9.0+aaaaaaa", "0.2.0+ccccccc", "PINFLOW_WORKER_VERSIONING=on"}},
			"no version at all":      {"0.1.0+aaaaaaa", func(w *world) { w.temporal.deployment = nil }, []string{"versions: none"}},
			"no workers":             {"0.1.0+bbbbbbb", func(w *world) { w.now = noon.Add(2 * builds.PollAge) }, []string{"no worker of 0.1.0+bbbbbbb", "--allow-no-pollers"}},
			"no unversioned workers": {"--unversioned", nil, []string{"PINFLOW_WORKER_VERSIONING=off"}},
			"unversioned already":    {"--unversioned", func(w *world) { w.temporal.deployment = nil }, []string{"has no versions"}},
			"a ramp of the current":  {"0.2.0+ccccccc --percentage 10", nil, []string{"0.2.0+ccccccc is the current version"}},
			"no ramp to end":         {"0.2.0+ccccccc --percentage 0", nil, []string{"0.2.0+ccccccc is not ramping: it is current"}},
			"a ramp beside nothing": {"0.1.0+bbbbbbb --percentage 40", func(w *world) { w.temporal.deployment.RoutingConfig.CurrentDeploymentVersion = nil },
				[]string{"no current version", "60 % of the new runs would wait"}},
			"a change at the same time": {"0.1.0+bbbbbbb", func(w *world) { w.temporal.routeErr = serviceerror.NewFailedPrecondition("conflict token mismatch") },
				[]string{"conflict token mismatch", "starter deploy status"}},
		} {
			w := versioned(t)
			if c.change != nil {
				c.change(w)
			}
			code, _, stderr := w.line(t, "deploy promote "+c.line)
			require.Equal(t, exit.Failed, code, name)
			for _, text := range c.want {
				require.Contains(t, stderr, text, name)
			}
			require.Equal(t, w.temporal.routeErr != nil, len(w.temporal.routed) > 0, name)
		}
	})

	t.Run("needs_one_target", func(t *testing.T) {
		t.Parallel()
		for _, line := range []string{"", "0.1.0+bbbbbbb --unversioned", "--unversioned --percentage 10", "0.1.0+bbbbbbb --percentage 101", "0.1.0+bbbbbbb --percentage -1"} {
			code, _, stderr := versioned(t).line(t, "deploy promote "+line)
			require.Equal(t, exit.Usage, code, line+stderr)
		}
	})
}

func TestDoctorVersions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*world)
		code   int
		want   []string // of the line about versions
	}{
		"all_is_well": {func(*world) {}, exit.Done, []string{"ok  ", "new runs start on 0.2.0+ccccccc", "the workers of 0.1.0+aaaaaaa may be stopped"}},
		"no_workers_for_open_runs": {func(w *world) { w.temporal.pollers[1].LastAccessTime = timestamppb.New(noon.Add(-2 * time.Minute)) }, exit.Failed,
			[]string{"FAIL", "0.1.0+bbbbbbb has 2 open runs and no workers", "start workers of that build"}},
		"no_current_version": {func(w *world) { w.temporal.deployment.RoutingConfig.CurrentDeploymentVersion = nil }, exit.Failed,
			[]string{"FAIL", "no version is current, and new runs wait", "`starter deploy promote 0.2.0+ccccccc`"}},
		"no_current_version_beside_workers_without_versioning": {func(w *world) {
			w.temporal.deployment.RoutingConfig.CurrentDeploymentVersion = nil
			w.temporal.poll(buildID, "five", false)
		}, exit.Done, []string{"WARN", "workers without Worker Versioning start the new runs", "`starter deploy promote 0.2.0+ccccccc`"}},
		"no_workers_of_the_current_version": {func(w *world) {
			w.temporal.open = nil
			w.temporal.pollers = w.temporal.pollers[:2]
		}, exit.Failed, []string{"0.2.0+ccccccc is current and has no workers, so new runs wait", "`starter deploy promote 0.1.0+bbbbbbb`"}},
		"no_workers_of_the_current_version_with_open_runs": {func(w *world) { w.temporal.pollers = w.temporal.pollers[:2] }, exit.Failed,
			[]string{"0.2.0+ccccccc has 3 open runs and no workers", "0.2.0+ccccccc is current and has no workers, so new runs wait", "`starter deploy promote 0.1.0+bbbbbbb`"}},
		"versioning_was_turned_off": {func(w *world) {
			w.temporal.open = nil
			w.temporal.pollers = nil
			w.temporal.poll("0.2.0+ccccccc", "five", false)
		}, exit.Failed, []string{"0.2.0+ccccccc is current and has no workers", "`starter deploy promote --unversioned`"}},
		"versioning_is_on_without_a_version": {func(w *world) { w.temporal.deployment, w.temporal.pollers = nil, w.temporal.pollers[:0] }, exit.Failed,
			[]string{"no version is current", "PINFLOW_WORKER_VERSIONING=on"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := versioned(t)
			c.change(w)
			code, stdout, stderr := w.starter(t, "doctor")
			require.Equal(t, c.code, code, stdout+stderr)
			line := lineWith(stdout, " versions ")
			for _, text := range c.want {
				require.Contains(t, line, text)
			}
		})
	}
}

func TestOtherBuilds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*world)
		want   string // of the warning; empty: none
	}{
		"the_same_build": {func(w *world) { w.temporal.poll(buildID, "five", false) }, ""},
		"another_build":  {func(w *world) { w.temporal.poll("0.1.0+other12", "five", false) }, "workers run 0.1.0+other12 (0.1.0+other12@five:1)"},
		"two_builds": {func(w *world) {
			w.temporal.poll(buildID, "five", false)
			w.temporal.poll("0.1.0+other12", "six", false)
		}, "workers run 0.1.0+other12"},
		"one_that_polled_earlier": {func(w *world) {
			w.temporal.poll("0.1.0+other12", "five", false)
			w.temporal.pollers[1].LastAccessTime = timestamppb.New(noon.Add(-builds.PollAge - 1))
		}, ""},
		"an_old_version_that_only_finishes_its_runs": {func(w *world) {
			w.temporal.addVersion("0.1.0+old1234", draining, 1)
			w.temporal.addVersion(buildID, current, 0)
			w.temporal.poll("0.1.0+old1234", "five", true)
			w.temporal.poll(buildID, "six", true)
		}, ""},
		"a_ramping_version": {func(w *world) {
			w.temporal.addVersion(buildID, current, 1)
			w.temporal.addVersion("0.1.0+new1234", ramping, 0)
			w.temporal.poll(buildID, "five", true)
			w.temporal.poll("0.1.0+new1234", "six", true)
		}, "workers run 0.1.0+new1234"},
		"another_current_version": {func(w *world) {
			w.temporal.addVersion("0.1.0+new1234", current, 0)
			w.temporal.poll("0.1.0+new1234", "five", true)
		}, "workers run 0.1.0+new1234"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := ready(t)
			c.change(w)
			code, stdout, stderr := w.starter(t, "doctor")
			require.Zero(t, code, stdout+stderr)
			line := lineWith(stdout, " build ")
			w.starts(nil)
			code, _, stderr = w.starter(t, "run")
			require.Zero(t, code, stderr)
			if c.want == "" {
				require.Contains(t, line, "ok  ")
				require.NotContains(t, stderr, "Warning")
				return
			}
			require.Contains(t, line, "WARN")
			require.Contains(t, line, c.want)
			require.Contains(t, stderr, "Warning: "+c.want)
			require.Contains(t, stderr, buildID)
		})
	}
}

// lineWith returns the first line with the text.
func lineWith(lines, text string) string {
	for line := range strings.Lines(lines) {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}
