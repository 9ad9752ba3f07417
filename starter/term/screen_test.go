package term

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScreen(t *testing.T) {
	t.Setenv("COLUMNS", "20")
	t.Setenv("LINES", "4")
	var out bytes.Buffer
	s := &Screen{W: &out}
	s.Clear()
	require.Empty(t, out.String(), "there is no block yet")

	s.Draw("one\ntwo\n")
	require.Equal(t, BeginUpdate+HideCursor+"one"+ClearLine+"\ntwo"+ClearLine+"\n"+ClearBelow+EndUpdate, out.String())
	out.Reset()
	s.Draw("one\ntwo\n")
	require.Empty(t, out.String(), "the same block is not drawn again")

	s.Draw("1\n2\n3\n4\n" + strings.Repeat("x", 30))
	require.True(t, strings.HasPrefix(out.String(), BeginUpdate+HideCursor+"\x1b[2A\r"), "the cursor returns to the start of the block")
	require.Equal(t, 3, strings.Count(out.String(), "\n"), "a line of the screen is left for the cursor")
	out.Reset()
	s.Draw(strings.Repeat("x", 30))
	require.Contains(t, out.String(), strings.Repeat("x", 19)+ClearLine, "a line that wraps could not be redrawn")
	require.NotContains(t, out.String(), strings.Repeat("x", 20))

	out.Reset()
	s.Leave()
	require.Equal(t, ShowCursor, out.String())
	out.Reset()
	s.Clear()
	require.Empty(t, out.String(), "the block was left there")
}

func TestColumns(t *testing.T) {
	t.Setenv("COLUMNS", "120")
	width, known := Columns(&bytes.Buffer{})
	require.Equal(t, 120, width)
	require.True(t, known)
	for _, wrong := range []string{"", "-1", "wide"} {
		t.Setenv("COLUMNS", wrong)
		width, known = Columns(&bytes.Buffer{})
		require.Equal(t, DefaultColumns, width)
		require.False(t, known)
	}
}
