package term

import (
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/require"
)

func TestWrapLine(t *testing.T) {
	t.Parallel()
	t.Run("loses_nothing", func(t *testing.T) {
		t.Parallel()
		for _, line := range []string{"", "short", strings.Repeat("word ", 60) + "end", strings.Repeat("x", 500), "a " + strings.Repeat("y", 100) + " b", "\x1b[31mred words here\x1b[0m " + strings.Repeat("z", 50)} {
			wrapped := WrapLine(line, 30)
			for _, l := range strings.Split(wrapped, "\n") {
				require.LessOrEqual(t, text.StringWidthWithoutEscSequences(l), 30, line)
			}
			squeeze := func(s string) string { return strings.NewReplacer(" ", "", "\n", "").Replace(s) }
			require.Equal(t, squeeze(line), squeeze(wrapped))
		}
	})
}

func TestShortMiddle(t *testing.T) {
	t.Parallel()
	require.Equal(t, "abc…xyz", ShortMiddle("abcdefghijklmnopqrstuvwxyz", 7))
	require.Equal(t, "abc", ShortMiddle("abc", 7))
}
