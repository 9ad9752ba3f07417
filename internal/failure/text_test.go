package failure

import (
	"errors"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestType(t *testing.T) {
	t.Run("is_that_of_the_error_below_other_layers", func(t *testing.T) {
		require.Equal(t, Missing, Type(fmt.Errorf("load: %w", overTemporal(t, NonRetryable(Missing, nil, "no topic")))))
		require.Empty(t, Type(errors.New("plain")))
		require.Empty(t, Type(nil))
	})
}

func TestCut(t *testing.T) {
	t.Run("keeps_a_text_within_the_limit_and_marks_what_it_has_cut", func(t *testing.T) {
		require.Equal(t, "abc", Cut("abc", 3))
		require.Equal(t, "abc …", Cut("abcd", 3))
		rapid.Check(t, func(t *rapid.T) {
			text, limit := rapid.String().Draw(t, "text"), rapid.IntRange(0, 40).Draw(t, "limit")
			got := Cut(text, limit)
			require.True(t, utf8.ValidString(got), "no half of a character")
			require.LessOrEqual(t, len(got), max(limit+len(" …"), 0))
		})
	})
}

func TestOneLine(t *testing.T) {
	t.Run("joins_lines", func(t *testing.T) {
		require.Equal(t, "a; b", OneLine(errors.Join(errors.New("a"), errors.New("b"))))
	})
}
