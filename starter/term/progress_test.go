package term

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	t.Run("writes_a_line_for_each_tenth_without_a_terminal", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		p := (&Term{Err: &out}).StartProgress("posting", 0)
		p.Set(5, "") // the total is not known yet
		require.Empty(t, out.String())
		p.Total = 100
		for done := range int64(101) {
			p.Set(done, "")
			p.Set(done, "again") // nothing was done meanwhile
		}
		p.End()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		require.Len(t, lines, 10)
		require.Equal(t, "posting 10/100", lines[0])
		require.Equal(t, "posting 100/100", lines[9])
	})
	t.Run("shows_the_note_with_the_line", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		(&Term{Err: &out}).StartProgress("dates", 2).Set(1, "running 2022-10-18")
		require.Equal(t, "dates 1/2 (running 2022-10-18)\n", out.String())
	})
	t.Run("leaves_nothing_on_a_terminal", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		p := (&Term{Err: &out, Live: true}).StartProgress("dates", 2)
		p.Set(1, "")
		require.Contains(t, out.String(), "dates")
		p.End()
		p.End() // more than once is allowed
		require.NotContains(t, out.String(), "\n")
	})
}
