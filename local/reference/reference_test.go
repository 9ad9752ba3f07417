package reference

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnswers(t *testing.T) {
	t.Run("are_the_expected_ones_for_real_records", func(t *testing.T) {
		dir := SharedPosts()
		if dir == "" {
			t.Log("no shared records here: the reference is held by the cases below alone")
			return
		}
		var records []Record
		for _, kind := range []string{"pin", "geo", "user"} {
			file, err := os.Open(filepath.Join(dir, kind+".jsonl"))
			require.NoError(t, err)
			defer file.Close()
			lines := bufio.NewScanner(file)
			lines.Buffer(nil, 1<<20)
			for offset := int64(0); lines.Scan(); offset++ {
				records = append(records, Record{Kind: kind, Date: "2022-10-18", Offset: offset, Value: append([]byte(nil), lines.Bytes()...)})
			}
			require.NoError(t, lines.Err())
		}
		want, err := os.ReadFile(filepath.Join(dir, "expected.json"))
		require.NoError(t, err)
		got, err := json.Marshal(Answers(records, Options{}))
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got))
	})
}

func TestElements(t *testing.T) {
	t.Run("only_arrays_that_hold_an_object_are_unwrapped", func(t *testing.T) {
		for value, want := range map[string]int{
			`{"index":1}`: 1, `[{"index":1}]`: 1, `[{"a":1},5,"x",null]`: 4, `[[{"a":1}],[{"b":2}]]`: 1, `[]`: 1, `["{}"]`: 1, `5`: 1, `{`: 1,
		} {
			require.Len(t, elements(Record{Kind: "pin", Value: []byte(value)}), want, value)
		}
	})
}

func TestStrict(t *testing.T) {
	t.Run("rejects_what_engines_read_differently", func(t *testing.T) {
		long := func(n int) string { return strings.Repeat("1", n) }
		for _, value := range []string{`{"` + long(50_001) + `":1}`, `[0.` + long(999) + `]`, `["` + long(10_000_000) + `"]`, `{"a":1,"a":2}`, `"\ud800"`, "\"\xff\"", `1e400`, `{'a':1}`, `{"a":1} x`, `{"a":1}{"b":2}`, `[1,]`, `NaN`, ``, ` `} {
			require.False(t, Strict([]byte(value)), value)
		}
		for _, value := range []string{`{"b":1 , "` + long(50_000) + `":"` + long(50_001) + `"}`, `[0.` + long(998) + `]`, `["` + long(10_000_000-4) + `"]`, `{"a":1}`, ` [1, 2]`, `12345678901234567890123`, `"x"`, `null`} {
			require.True(t, Strict([]byte(value)), value)
		}
	})
}
