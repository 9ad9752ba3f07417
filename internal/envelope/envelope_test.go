package envelope

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// line returns the line of a record at offset 7 of partition 2 of u.pin.
func line(key, value []byte) string {
	record := kafkago.Message{Offset: 7, Time: time.UnixMilli(1666051200123), Key: key, Value: value}
	return string(New("u.pin", 2).Append(nil, record))
}

// requireString requires that the line of a record has its text under the name, and nothing after it.
func requireString(t *testing.T, name, value string) {
	t.Helper()
	got := line(nil, []byte(value))
	var decoded map[string]any
	require.NoError(t, json.Unmarshal([]byte(got), &decoded))
	text, _ := decoded[name].(string)
	require.True(t, text == value, "%s of %.200s", name, got)
	require.True(t, strings.HasPrefix(got, `{"topic":"u.pin","partition":2,"offset":7,"timestamp":1666051200123,"key":null,"`+name+`":"`))
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestEnvelope(t *testing.T) {
	t.Run("has_offset_time_key_and_value_in_this_order", func(t *testing.T) {
		require.Equal(t, `{"topic":"u.pin","partition":2,"offset":7,"timestamp":1666051200123,"key":"k\"1","value":"{\"index\":1}"}`+"\n",
			line([]byte(`k"1`), []byte(`{"index":1}`)))
		require.Equal(t, `{"topic":"u.pin","partition":2,"offset":7,"timestamp":1666051200123,"key":null,"text":""}`+"\n", line(nil, []byte{}))
		require.Contains(t, line([]byte{}, nil), `"key":"",`, "an empty key is not a missing key")
	})

	// A tombstone deletes what its key had, where an empty value is one that has to be rejected.
	t.Run("a_tombstone_is_no_empty_value", func(t *testing.T) {
		require.Equal(t, `{"topic":"u.pin","partition":2,"offset":7,"timestamp":1666051200123,"key":"k","text":null}`+"\n", line([]byte("k"), nil))
		require.Equal(t, `{"topic":"u.pin","partition":2,"offset":7,"timestamp":1666051200123,"key":"k","text":""}`+"\n", line([]byte("k"), []byte{}))
	})

	t.Run("headers_keep_their_order_and_their_bytes", func(t *testing.T) {
		headers := []kafkago.Header{
			{Key: "a", Value: []byte(`x"`)}, {Key: "a", Value: []byte("\u00e9\n")}, {Key: "", Value: []byte{}}, {Key: "none"}, {Key: "bytes\xff", Value: []byte{0xff, 0}},
		}
		with := func(value []byte) string {
			return string(New("u.pin", 2).Append(nil, kafkago.Message{Offset: 7, Time: time.UnixMilli(1), Headers: headers, Value: value}))
		}
		const want = `{"topic":"u.pin","partition":2,"offset":7,"timestamp":1,"key":null,` +
			`"headers":[{"key":"a","value":"x\""},{"key":"a","value":"\u00e9\n"},{"key":"","value":""},{"key":"none","value":null},{"key":"bytes` + "\ufffd" + `","base64":"/wA="}],`
		require.Equal(t, strings.Replace(want, `\u00e9`, "\u00e9", 1)+`"value":"{}"}`+"\n", with([]byte("{}")))
		require.True(t, strings.HasSuffix(with(nil), `}],"text":null}`+"\n"), "load knows a tombstone by the end of its line")
		require.NotContains(t, line(nil, []byte("{}")), "headers", "a record without headers is not longer")
	})

	// Jackson refuses a line with a string of more than 20,000,000 characters.
	t.Run("a_longer_header_is_split", func(t *testing.T) {
		long := bytes.Repeat([]byte{'x'}, 20_000_001)
		binary := bytes.Repeat([]byte{0xff}, 15_000_001)
		got := New("u.pin", 2).Append(nil, kafkago.Message{Headers: []kafkago.Header{{Key: string(long), Value: long}, {Value: binary}}, Value: []byte("{}")})
		var decoded struct {
			Headers []struct {
				Key, Value, Base64 string
				More               []string
			}
		}
		require.NoError(t, json.Unmarshal(got, &decoded))
		require.Len(t, decoded.Headers[0].Key, 20_000_000, "a key ends there")
		require.True(t, string(long) == decoded.Headers[0].Value+strings.Join(decoded.Headers[0].More, ""))
		require.Len(t, decoded.Headers[0].Value, 20_000_000)
		read, err := base64.StdEncoding.DecodeString(decoded.Headers[1].Base64 + strings.Join(decoded.Headers[1].More, ""))
		require.NoError(t, err)
		require.True(t, bytes.Equal(binary, read))
	})

	t.Run("only_strict_json_lands_as_json", func(t *testing.T) {
		for _, test := range []struct{ name, value string }{
			{"object", "{ \"a\" :\r\n [1, 2.50] }"},
			{"white space around it", "\n\t {} \r\n"},
			{"escapes", `{"a":"\u0041\/\n\"\\"}`},
			{"surrogate pair", `{"a":"\ud83d\ude00"}`},
			{"line separators of Unicode", "{\"a\":\"\u2028\u0085\"}"},
			{"empty object", `{}`},
			{"empty array", `[]`},
			{"number at the edge of a double", `{"a":1.7976931348623157e308}`},
			{"small number", `{"a":1e-400}`},
			{"300 digits", `{"a":` + strings.Repeat("9", 300) + `}`},
			{"1,000 characters of a number", `{"a":0.` + strings.Repeat("1", 998) + `}`},
			{"a name of 50,000 bytes", `{"` + strings.Repeat("n", 50_000) + `":1}`},
			{"a string longer than a name may be", `{"a":"` + strings.Repeat("s", 50_001) + `"}`},
			{"10,000,000 bytes", `{"a":"` + strings.Repeat("s", 10_000_000-8) + `"}`},
			{"nested as deep as may be", nested(512)},
			{"digits in a string are no number", `{"a":"1e999"}`},
		} {
			t.Run(test.name, func(t *testing.T) { requireString(t, "value", test.value) })
		}
		for _, test := range []struct{ name, value string }{
			{"number beyond a double", `{"a":1e400}`},
			{"negative number beyond a double", `[-1E+309]`},
			{"310 digits", `[` + strings.Repeat("9", 310) + `]`},
			{"1,001 characters of a number", `{"a":0.` + strings.Repeat("1", 999) + `}`},
			{"1,001 characters of a number, nested", `{"a":[{"b":0.` + strings.Repeat("1", 999) + `}]}`},
			{"a name of 50,001 bytes", `{"a":{"` + strings.Repeat("n", 50_001) + `" :1}}`},
			{"10,000,001 bytes", `{"a":"` + strings.Repeat("s", 10_000_000-7) + `"}`},
			{"nested too deep", nested(513)},
			{"duplicate name", `{"a":1,"a":2}`},
			{"duplicate name, escaped", `{"a":1,"\u0061":2}`},
			{"lone surrogate", `{"a":"\ud800"}`},
			{"trailing comma", `{"a":1,}`},
			{"single quotes", `{'a':1}`},
			{"NaN", `{"a":NaN}`},
			{"two values", `{} {}`},
			{"trailing text", `{"a":1} x`},
			{"byte order mark", "\ufeff{}"},
			{"control character in a string", "{\"a\":\"\x01\"}"},
			{"cut off", `{"a":`},
			{"a JSON string that holds an object", `"{\"a\":1}"`},
			{"a number", `12`},
			{"null", `null`},
			{"no JSON", "plain\ntext"},
			{"white space", " \n"},
		} {
			t.Run(test.name, func(t *testing.T) { requireString(t, "text", test.value) })
		}
		require.Contains(t, line(nil, []byte("{\"a\":\"\xff\"}")), `"text":"{\"a\":\"`+"\ufffd"+`\"}"`, "not UTF-8")
	})

	// Jackson refuses a line with a string of more than 20,000,000 characters.
	t.Run("a_longer_text_is_split", func(t *testing.T) {
		const character = "\U0001f384" // four bytes: 20,000,000 is no border of x + characters
		text := "x" + strings.Repeat(character, 11_000_000)
		var got struct {
			Text string
			More []string
		}
		require.NoError(t, json.Unmarshal([]byte(line(nil, []byte(text))), &got))
		require.True(t, text == got.Text+strings.Join(got.More, ""))
		require.Len(t, got.More, 2)
		for _, part := range append(got.More, got.Text) {
			require.LessOrEqual(t, len(part), 20_000_000)
			require.True(t, utf8.ValidString(part))
		}
	})

	// Java and DuckDB write numbers, arrays and objects in their own ways, as in 1.0E-7 for 1e-7.
	t.Run("fields_that_engines_spell_differently_are_strings", func(t *testing.T) {
		for _, field := range []string{
			`0`, `-1`, `999999999999999999`, `-999999999999999999`, `0.001`, `-0.5`, `9999999.5`, `1234567.12345678`, `-89.9787`,
			`true`, `false`, `null`, `""`, `"1e5"`, `"\u0041"`,
		} {
			require.NotContains(t, line(nil, []byte(`{"a":`+field+`}`)), "elements", field)
		}
		for _, field := range []string{
			`-0`, `1000000000000000000`, `1e5`, `1E5`, `1e-7`, `1.0`, `1.50`, `0.0001`, `-0.00099`, `10000000.5`, `1.5e3`, `123456789.1234567`, `0.123456789012345`, `12345.67890123456`,
			`[]`, `{}`, `[1, 2]`, "{\"b\": [\"]\", 1.5 ]}",
		} {
			for _, form := range []string{`{"a":%s}`, ` { "b" : [ "}" , 1 ] , "a" : %s , "c":"\"}" } `, `[5, {"a":%s} ,[1.50]]`} {
				var got struct {
					Value    string
					Elements []string
				}
				record := fmt.Sprintf(form, field)
				require.NoError(t, json.Unmarshal([]byte(line(nil, []byte(record))), &got))
				require.Equal(t, record, got.Value)
				require.NotEmpty(t, got.Elements, record)
				var fields map[string]any
				require.NoError(t, json.Unmarshal([]byte(got.Elements[len(got.Elements)/2]), &fields), record)
				require.Equal(t, field, fields["a"])
				if fields["c"] != nil {
					require.Equal(t, map[string]any{"a": field, "b": `[ "}" , 1 ]`, "c": `"}`}, fields)
				}
			}
		}
	})

	t.Run("array_with_an_object_lists_its_elements", func(t *testing.T) {
		tests := []struct {
			value string
			want  []string
		}{
			{` [{"a":1}, {"b":"x" , "c": "],[{"}]`, []string{`{"a":1}`, `{"b":"x" , "c": "],[{"}`}},
			{`[1, "x,\"y", {"a":1}, [{}], null]`, []string{`1`, `"x,\"y"`, `{"a":1}`, `[{}]`, `null`}},
			{`[{}]`, []string{`{}`}},
			{`[[{"a":1}]]`, nil},
			{`["{}"]`, nil},
			{`[]`, nil},
		}
		for _, test := range tests {
			t.Run(test.value, func(t *testing.T) {
				var got struct {
					Value    string
					Elements []string
				}
				require.NoError(t, json.Unmarshal([]byte(line(nil, []byte(test.value))), &got))
				require.Equal(t, test.value, got.Value)
				require.Equal(t, test.want, got.Elements)
			})
		}
	})

	// Whatever the bytes are, the line is one line of valid JSON from which key and value can be
	// recovered.
	t.Run("any_bytes_become_one_line", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			piece := rapid.SampledFrom([]string{"{", "}", "[", "]", ",", ":", `"a"`, `"`, `\`, "1", "-1e5", "e", " ", "\n", "\xff", "é", "\u2028", "null"})
			value := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "value"), "")
			got := line([]byte(value), []byte(value))
			require.Equal(t, 1, strings.Count(got, "\n"))
			var decoded struct {
				Key         string
				Text        *string
				Value       string
				Elements    []string
				Topic       string
				Offset, Tim int64
			}
			require.NoError(t, json.Unmarshal([]byte(got), &decoded))
			require.Equal(t, strings.ToValidUTF8(value, "\ufffd"), collapse(decoded.Key))
			if decoded.Text != nil {
				require.Equal(t, strings.ToValidUTF8(value, "\ufffd"), collapse(*decoded.Text))
				return
			}
			require.Equal(t, value, decoded.Value)
			for _, element := range decoded.Elements {
				require.True(t, json.Valid([]byte(element)), element)
			}
		})
	})
}

// collapse replaces consecutive replacement characters by one, as strings.ToValidUTF8 does.
func collapse(text string) string {
	for strings.Contains(text, "\ufffd\ufffd") {
		text = strings.ReplaceAll(text, "\ufffd\ufffd", "\ufffd")
	}
	return text
}

func BenchmarkEnvelope(b *testing.B) {
	value := []byte(fmt.Sprintf(`{"index":7528,"unique_id":"fbe53c66-3442-4773-b19e-d3ec6f54dddf","title":"No Title Data Available","description":%q,`+
		`"poster_name":"User Info Error","follower_count":"124k","tag_list":"Mens Fashion,Street Style,Outfits","is_image_or_video":"image",`+
		`"image_src":"https://i.pinimg.com/originals/a/b/c.jpg","downloaded":1,"save_location":"Local save in /data/mens-fashion","category":"mens-fashion"}`,
		strings.Repeat("Some words of a description, as they come. ", 8)))
	record := kafkago.Message{Offset: 123456, Time: time.UnixMilli(1666051200123), Key: []byte("7528"), Value: value}
	envelope := New("pinflow.pin", 1)
	var line []byte
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		line = envelope.Append(line[:0], record)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
