package posts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeyOf(t *testing.T) {
	t.Run("is_the_normalized_index", func(t *testing.T) {
		for _, c := range []struct {
			kind, value, key string
			several          bool
		}{
			{"pin", `{"index": 7528, "ind": 1}`, "7528", false},
			{"geo", `{"index": 7528, "ind": 1}`, "1", false},
			{"user", `{"index": 7528}`, "7528", false},
			{"pin", `{"ind": 3}`, "3", false},
			{"pin", `{"index": "0042"}`, "42", false},
			{"pin", `{"index": "000"}`, "0", false},
			{"pin", `{"index": "x1"}`, "x1", false},
			{"pin", `{"index": 4.0}`, "4.0", false},
			{"pin", `{"\u0069ndex": 5}`, "5", false},
			{"pin", `{"INDEX": 5}`, "", false},
			{"pin", `{"index": null, "ind": 6}`, "6", false},
			{"pin", `{"a": {"index": 9}, "index": 8}`, "8", false},
			{"pin", `{"index": {"a": 1}}`, `{"a": 1}`, false},
			{"pin", `[{"index": 5}]`, "5", false},
			{"pin", `[1, {"x": 1}, {"index": 5}, {"index": "5"}]`, "5", false},
			{"pin", `[{"index": 5}, {"index": 6}]`, "5", true},
			{"pin", `[]`, "", false},
			{"pin", `"{\"index\": 5}"`, "", false},
			{"pin", `5`, "", false},
			{"pin", `null`, "", false},
		} {
			key, several := keyOf(c.kind, json.RawMessage(c.value))
			require.Equal(t, c.key, key, "%s %s", c.kind, c.value)
			require.Equal(t, c.several, several, "%s %s", c.kind, c.value)
		}
	})
}

func TestValueOf(t *testing.T) {
	t.Run("quotes_what_is_not_json", func(t *testing.T) {
		deep := strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999)
		for text, value := range map[string]string{
			`{"a":1}`:        `{"a":1}`,
			" {\"a\" : 1}\t": `{"a" : 1}`,
			`{"a":1,"a":2}`:  `{"a":1,"a":2}`,
			`"\ud800"`:       `"\ud800"`,
			`1e999`:          `1e999`,
			`null`:           `null`,
			`{"a":1`:         `"{\"a\":1"`,
			`{"a":1} {}`:     `"{\"a\":1} {}"`,
			`{"a":1},{}`:     `"{\"a\":1},{}"`,
			`hello "you"`:    `"hello \"you\""`,
			"\ufeff{}":       "\"\ufeff{}\"",
			"\x00":           `"\u0000"`,
			" ":              `" "`,
			"\"a\xffb\"":     "\"\\\"a\ufffdb\\\"\"",
			"NaN":            `"NaN"`,
			deep:             `"` + deep + `"`, // JSON, but a produce request around it is nested too deeply for its reader
		} {
			require.Equal(t, value, string(valueOf([]byte(text))))
			require.True(t, json.Valid(valueOf([]byte(text))))
		}
		require.Equal(t, deep[2:len(deep)-2], string(valueOf([]byte(deep[2:len(deep)-2]))))
	})
}

// files writes the three files.
func files(t *testing.T, pin, geo, user string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"pin": pin, "geo": geo, "user": user} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".jsonl"), []byte(content), 0o600))
	}
	return dir
}

func TestJSONLines(t *testing.T) {
	t.Run("are_unchanged", func(t *testing.T) {
		huge := `{"index":1,"text":"` + strings.Repeat("x", 3<<20) + `"}`
		dir := files(t, "{\"index\": 2}\r\n\n  \nnot json\n\"index\"\n"+huge+"\n[{\"index\":3},{\"index\":4}]\nnull", "{\"ind\":1}\n", "")
		s, err := OpenJSONLines(dir)
		require.NoError(t, err)
		require.Equal(t, 7, s.Posts())
		lines := take(t, s, "pin", 100)
		var values, keys []string
		for i, line := range lines {
			require.Equal(t, i, line.Post)
			values, keys = append(values, string(line.Value)), append(keys, line.Key)
		}
		require.Equal(t, []string{`{"index": 2}`, `"  "`, `"not json"`, `"index"`, huge, `[{"index":3},{"index":4}]`, `null`}, values)
		require.Equal(t, []string{"2", "", "", "", "1", "3", ""}, keys)
		require.True(t, lines[5].Alone)
		require.Equal(t, filepath.Join(dir, "pin.jsonl")+" line 7", lines[5].Origin)
		require.Len(t, take(t, s, "geo", 100), 1)
		require.Empty(t, take(t, s, "user", 100))
	})

	t.Run("fingerprint_depends_on_the_content", func(t *testing.T) {
		fingerprint := func(pin, geo, user string) string {
			s, err := OpenJSONLines(files(t, pin, geo, user))
			require.NoError(t, err)
			return s.Fingerprint()
		}
		require.Equal(t, fingerprint("1\n", "2\n", ""), fingerprint("1\n", "2\n", ""))
		require.NotEqual(t, fingerprint("1\n", "2\n", ""), fingerprint("1\n", "3\n", ""))
		require.NotEqual(t, fingerprint("1\n", "2\n", ""), fingerprint("1\n", "", "2\n"))
	})

	t.Run("report_missing_files", func(t *testing.T) {
		_, err := OpenJSONLines(t.TempDir())
		require.ErrorContains(t, err, "pin.jsonl")
		_, err = OpenJSONLines(files(t, "", "\n", ""))
		require.ErrorContains(t, err, "nothing to post")
	})
}
