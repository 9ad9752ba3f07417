package landing

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// line returns the line of a record at offset 7 of partition 2 of u.pin.
func line(key, value []byte) string {
	record := kafkago.Message{Offset: 7, Time: time.UnixMilli(1666051200123), Key: key, Value: value}
	return string(newEnvelope("u.pin", 2).append(nil, record))
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestEnvelope(t *testing.T) {
	t.Run("has_offset_time_key_and_value_in_this_order", func(t *testing.T) {
		require.Equal(t, `{"topic":"u.pin","partition":2,"offset":7,"timestamp":1666051200123,"key":"k\"1","value":{"index":1}}`+"\n",
			line([]byte(`k"1`), []byte(`{"index":1}`)))
		require.Equal(t, `{"topic":"u.pin","partition":2,"offset":7,"timestamp":1666051200123,"key":null,"text":""}`+"\n", line(nil, nil))
		require.Contains(t, line([]byte{}, nil), `"key":"",`, "an empty key is not a missing key")
	})

	t.Run("only_strict_json_lands_as_json", func(t *testing.T) {
		tests := []struct{ name, value, want string }{
			{"object, compacted to one line", "{ \"a\" :\r\n [1, 2.50] }", `"value":{"a":[1,2.50]}`},
			{"escapes stay as they are", `{"a":"\u0041\/\n\"\\"}`, `"value":{"a":"\u0041\/\n\"\\"}`},
			{"surrogate pair", `{"a":"\ud83d\ude00"}`, `"value":{"a":"\ud83d\ude00"}`},
			{"line separators of Unicode do not break the line", "{\"a\":\"\u2028\u0085\"}", "\"value\":{\"a\":\"\u2028\u0085\"}"},
			{"empty object", `{}`, `"value":{}`},
			{"empty array", `[]`, `"value":[]`},
			{"number at the edge of a double", `{"a":1.7976931348623157e308}`, `"value":{"a":1.7976931348623157e308}`},
			{"small number", `{"a":1e-400}`, `"value":{"a":1e-400}`},
			{"300 digits", `{"a":` + strings.Repeat("9", 300) + `}`, `"value":{"a":` + strings.Repeat("9", 300) + `}`},
			{"nested as deep as may be", nested(512), `"value":` + nested(512)},
			{"digits in a string are no number", `{"a":"1e999"}`, `"value":{"a":"1e999"}`},

			{"number beyond a double", `{"a":1e400}`, `"text":"{\"a\":1e400}"`},
			{"negative number beyond a double", `[-1E+309]`, `"text":"[-1E+309]"`},
			{"310 digits", `[` + strings.Repeat("9", 310) + `]`, `"text":"[` + strings.Repeat("9", 310) + `]"`},
			{"nested too deep", nested(513), `"text":"` + nested(513) + `"`},
			{"duplicate name", `{"a":1,"a":2}`, `"text":"{\"a\":1,\"a\":2}"`},
			{"duplicate name, escaped", `{"a":1,"\u0061":2}`, `"text":"{\"a\":1,\"\\u0061\":2}"`},
			{"lone surrogate", `{"a":"\ud800"}`, `"text":"{\"a\":\"\\ud800\"}"`},
			{"trailing comma", `{"a":1,}`, `"text":"{\"a\":1,}"`},
			{"single quotes", `{'a':1}`, `"text":"{'a':1}"`},
			{"NaN", `{"a":NaN}`, `"text":"{\"a\":NaN}"`},
			{"two values", `{} {}`, `"text":"{} {}"`},
			{"trailing text", `{"a":1} x`, `"text":"{\"a\":1} x"`},
			{"byte order mark", "\ufeff{}", "\"text\":\"\ufeff{}\""},
			{"control character in a string", "{\"a\":\"\x01\"}", `"text":"{\"a\":\"\u0001\"}"`},
			{"not UTF-8", "{\"a\":\"\xff\"}", `"text":"{\"a\":\"` + "\ufffd" + `\"}"`},
			{"cut off", `{"a":`, `"text":"{\"a\":"`},
			{"a JSON string that holds an object", `"{\"a\":1}"`, `"text":"\"{\\\"a\\\":1}\""`},
			{"a number", `12`, `"text":"12"`},
			{"null", `null`, `"text":"null"`},
			{"no JSON", "plain\ntext", `"text":"plain\ntext"`},
			{"white space", " \n", `"text":" \n"`},
		}
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				got := line(nil, []byte(test.value))
				require.Equal(t, `{"topic":"u.pin","partition":2,"offset":7,"timestamp":1666051200123,"key":null,`+test.want+"}\n", got)
				require.True(t, json.Valid([]byte(got)))
			})
		}
	})

	t.Run("array_with_an_object_lists_its_elements", func(t *testing.T) {
		tests := []struct {
			value string
			want  []string
		}{
			{`[{"a":1}, {"b":[2, {"c":"],[{"}]}]`, []string{`{"a":1}`, `{"b":[2,{"c":"],[{"}]}`}},
			{`[1, "x,\"y", {"a":1}, [{}], null]`, []string{`1`, `"x,\"y"`, `{"a":1}`, `[{}]`, `null`}},
			{`[{}]`, []string{`{}`}},
			{`[[{"a":1}]]`, nil},
			{`["{}"]`, nil},
			{`[]`, nil},
			{`{"a":[{"b":1}]}`, nil},
		}
		for _, test := range tests {
			t.Run(test.value, func(t *testing.T) {
				var got struct {
					Value    json.RawMessage
					Elements []string
				}
				require.NoError(t, json.Unmarshal([]byte(line(nil, []byte(test.value))), &got))
				require.NotEmpty(t, got.Value)
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
				Value       json.RawMessage
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
			require.JSONEq(t, value, string(decoded.Value))
			if decoded.Elements != nil {
				require.JSONEq(t, value, "["+strings.Join(decoded.Elements, ",")+"]")
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
	envelope := newEnvelope("pinflow.pin", 1)
	var line []byte
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		line = envelope.append(line[:0], record)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
