package main

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/starter/exit"
)

// everyCommand calls check for all commands, those of groups and those within them.
func everyCommand(t *testing.T, check func(t *testing.T, c *cobra.Command)) {
	t.Helper()
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Name() == "completion" || c.Name() == "help" { // cobra's own
			return
		}
		t.Run(c.CommandPath(), func(t *testing.T) { check(t, c) })
		for _, child := range c.Commands() {
			visit(child)
		}
	}
	visit(newWorld().app(nil, nil).command())
}

func TestHelp(t *testing.T) {
	t.Parallel()
	// These words were in former messages, with meanings that plain English has other words for.
	odd := regexp.MustCompile(`(?i)\b(mend\w*|anew|somebody|stands|going)\b`)
	everyCommand(t, func(t *testing.T, c *cobra.Command) {
		require.NotEmpty(t, c.Short)
		require.Less(t, utf8.RuneCountInString(c.Short), 60, c.Short)
		for _, text := range []string{c.Short, c.Long, c.Example} {
			require.NotRegexp(t, odd, text)
		}
		for line := range strings.Lines(c.Example) {
			require.Regexp(t, `^  starter `, line)
		}
		for line := range strings.Lines(c.LocalFlags().FlagUsages()) {
			require.Regexp(t, `^ +(-\w, )?--\S+ .*\S`, line, "a flag has one line")
			require.NotRegexp(t, odd, line)
			require.LessOrEqual(t, utf8.RuneCountInString(line), 140, line)
		}
	})
}

func TestHelpCases(t *testing.T) {
	t.Parallel()
	t.Run("decisions_have_examples_of_their_own", func(t *testing.T) {
		t.Parallel()
		seen := map[string]bool{}
		for _, choice := range []string{"retry", "skip", "fail", "succeed"} {
			code, stdout, stderr := newWorld().line(t, "task "+choice+" --help")
			require.Zero(t, code, stderr)
			_, example, ok := strings.Cut(stdout, "Examples:\n")
			require.True(t, ok, stdout)
			example, _, _ = strings.Cut(example, "\n")
			require.Contains(t, example, "starter task "+choice+" 2022-10-18 ")
			_, why, ok := strings.Cut(example, "--reason ")
			require.True(t, ok, example)
			require.False(t, seen[why], "another decision has the reason %s", why)
			seen[why] = true
		}
	})
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	t.Run("rejects_an_unknown_shell", func(t *testing.T) {
		t.Parallel()
		for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
			code, stdout, stderr := newWorld().line(t, "completion "+shell)
			require.Zero(t, code, stderr)
			require.NotEmpty(t, stdout)
		}
		for _, line := range []string{"completion tcsh", "completion"} {
			code, _, stderr := newWorld().line(t, line)
			require.Equal(t, exit.Usage, code, line)
			if strings.Contains(line, "tcsh") {
				require.Contains(t, stderr, `"tcsh"`)
			}
		}
	})
}

func TestDemo(t *testing.T) {
	t.Parallel()
	t.Run("rejects_ports_that_do_not_exist", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		code, stdout, stderr := w.starter(t, "demo", "--port-offset", "99999", "--data", t.TempDir())
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, "--port-offset")
		require.Contains(t, stderr, "99999")
		require.Empty(t, stdout)
		require.Empty(t, w.touched)
	})
}
