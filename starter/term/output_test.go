package term

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/require"
)

func TestConfirm(t *testing.T) {
	t.Parallel()
	for typed, confirmed := range map[string]bool{"daily\n": true, "daily": true, " daily \n": true, "y\n": false, "\n": false, "": false} {
		var errs bytes.Buffer
		err := (&Term{In: strings.NewReader(typed), Err: &errs}).Confirm("daily", "This deletes Schedule daily.")
		require.Equal(t, confirmed, err == nil, "%q", typed)
		require.Contains(t, errs.String(), "This deletes Schedule daily.\n")
	}
}

func TestPaintDiff(t *testing.T) {
	t.Parallel()
	const diff = "--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n same"
	require.Equal(t, diff, (&Term{}).PaintDiff(diff))
	painted := (&Term{Color: true}).PaintDiff(diff)
	require.Equal(t, diff, text.StripEscape(painted))
	require.Contains(t, painted, text.FgRed.Sprint("-old")+"\n")
	require.Contains(t, painted, text.FgGreen.Sprint("+new")+"\n same")
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	term := &Term{Out: &out}
	table := Table{Header: []string{"task", "tries", "error"}, Right: []int{1}, Rows: [][]string{{"load", "1", ""}, {"clean_pin", "12", "a long story that does not fit"}}}
	term.FitTable(&table, 2, 30)
	term.PrintTable(table)
	require.Equal(t, "TASK        TRIES   ERROR\nload            1\nclean_pin      12   a long st…\n", out.String())
}
