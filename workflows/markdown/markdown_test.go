package markdown

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/workflows/workflowstest"
)

func TestEscape(t *testing.T) {
	t.Run("shows_a_text_as_it_is_in_a_cell_of_a_table", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			pieces := rapid.SliceOfN(rapid.OneOf(
				rapid.SampledFrom([]string{"*", "**", "_", "__", "`", "``", "|", "\\", "[", "](", ")", "<", ">", "<b>", "&amp;", "&", "~~", "!", "https://x.org", "www.x.org", "a@x.org", "mailto:a@x.org", " ", "\n", "\n\n", "#", "- ", "1. ", "clean_geo", "$", "word"}),
				rapid.String(),
			), 1, 12).Draw(t, "pieces")
			text := strings.ToValidUTF8(strings.ReplaceAll(strings.Join(pieces, ""), "\x00", ""), "")
			want := strings.Join(strings.Fields(text), " ")
			got := workflowstest.Cells(t, workflowstest.Rendered(t, Head("note", "end")+Row(Escape(text), "end")))
			require.Equal(t, []string{want, "end"}, got)
		})
	})

	t.Run("leaves_common_text_readable", func(t *testing.T) {
		require.Equal(t, "try 2 failed (after 0.5 s), retrying - a date of 2022-10-18", Escape("try 2 failed (after 0.5 s), retrying - a date of 2022-10-18"))
	})
}

func TestLink(t *testing.T) {
	t.Run("has_its_address_whatever_it_contains", func(t *testing.T) {
		page := workflowstest.Rendered(t, Head("note")+Row(Link("Databricks run", "https://x.org/?o=1|2#job/(3)/run/<4>")))
		require.Contains(t, page, `<a href="https://x.org/?o=1%7C2#job/%283%29/run/%3C4%3E">Databricks run</a>`)
	})

	t.Run("is_none_to_anything_but_a_page_of_the_web", func(t *testing.T) {
		page := workflowstest.Rendered(t, Head("note")+Row(Link("run", "javascript:alert(1)")))
		require.Equal(t, []string{"run javascript:alert(1)"}, workflowstest.Cells(t, page))
	})
}
