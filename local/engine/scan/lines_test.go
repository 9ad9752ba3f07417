package scan

import (
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// all returns the lines of a text.
func all(t require.TestingT, content io.Reader) []string {
	var l lines
	l.reset(content)
	got := []string{}
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			return got
		}
		require.NoError(t, err)
		got = append(got, string(line))
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	t.Run("end_as_on_spark", func(t *testing.T) {
		t.Parallel()
		for text, want := range map[string][]string{
			"":               {},
			"a":              {"a"},
			"a\n":            {"a"},
			"a\n\n":          {"a", ""},
			"a\r\nb\rc\n":    {"a", "b", "c"},
			"a\r\r\nb":       {"a", "", "b"},
			"a\r":            {"a"},
			"\r\n":           {""},
			"a\r\n\r\n\rb\r": {"a", "", "", "b"},
		} {
			require.Equal(t, want, all(t, strings.NewReader(text)), "%q", text)
		}
	})

	t.Run("are_the_same_however_they_arrive", func(t *testing.T) {
		t.Parallel()
		ends := regexp.MustCompile(`\r\n|\r|\n`)
		rapid.Check(t, func(t *rapid.T) {
			text := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "bc", "\n", "\r", "\r\n", "é"}), 0, 30).Draw(t, "text"), "")
			want := ends.Split(text, -1)
			if want[len(want)-1] == "" { // after the last end
				want = want[:len(want)-1]
			}
			require.Equal(t, want, all(t, strings.NewReader(text)))
			require.Equal(t, want, all(t, iotest.OneByteReader(strings.NewReader(text))))
			require.Equal(t, want, all(t, iotest.DataErrReader(strings.NewReader(text))))
		})
	})

	t.Run("may_be_longer_than_the_buffer", func(t *testing.T) {
		t.Parallel()
		long := strings.Repeat("x", 3*bufferSize+1)
		require.Equal(t, []string{"a", long, "", long + "b"}, all(t, strings.NewReader("a\n"+long+"\r\n\n"+long+"b")))
	})

	t.Run("end_with_the_error_of_the_store", func(t *testing.T) {
		t.Parallel()
		broken := errors.New("connection reset")
		var l lines
		l.reset(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)))
		line, err := l.next()
		require.NoError(t, err)
		require.Equal(t, "a", string(line))
		_, err = l.next()
		require.ErrorIs(t, err, broken)
	})
}
