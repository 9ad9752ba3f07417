package envelope

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
)

// landed is a line as readers see it.
type landed struct {
	Topic     string
	Partition int
	Offset    int64
	Timestamp int64
	Key       *string
	Headers   []struct {
		Key    string
		Value  *string
		Base64 *string
		More   []string
	}
	Value    *string
	Text     *string
	More     []string
	Elements []string
}

// FuzzEnvelope checks that the line of any record is one line of strict JSON, which gives back what
// the record had: its bytes, except that those which are not UTF-8 are U+FFFD in texts.
func FuzzEnvelope(f *testing.F) {
	f.Add("u.pin", []byte("1"), []byte(`{"index":1,"a":1e5,"b":[1.50, {"c":-0}]}`), []byte("x"), int64(7), int64(1666051200123))
	f.Add("", []byte(nil), []byte(nil), []byte(nil), int64(-1), int64(-1))
	f.Fuzz(func(t *testing.T, topic string, key, value, header []byte, offset, milliseconds int64) {
		if offset%3 == 0 {
			value = nil
		}
		if offset%5 == 0 {
			key, header = nil, nil
		}
		record := kafkago.Message{Offset: offset, Time: time.UnixMilli(milliseconds), Key: key, Value: value}
		if offset%2 == 0 {
			record.Headers = []kafkago.Header{{Key: string(key), Value: header}, {Key: string(header), Value: key}}
		}
		before := bytes.Clone(value)
		line := New(topic, 2).Append([]byte("before\n"), record)
		require.Equal(t, before, value, "the record is as it was")
		line, had := bytes.CutPrefix(line, []byte("before\n"))
		require.True(t, had)

		require.Equal(t, len(line)-1, bytes.IndexByte(line, '\n'), "%q is one line", line)
		require.True(t, jsontext.Value(line).IsValid(), "%q", line)
		var got landed
		require.NoError(t, json.Unmarshal(line, &got))
		require.Equal(t, text([]byte(topic)), got.Topic)
		require.Equal(t, []int64{2, offset, milliseconds}, []int64{int64(got.Partition), got.Offset, got.Timestamp})
		requireText(t, key, got.Key, nil)
		require.Len(t, got.Headers, len(record.Headers))
		for i, header := range record.Headers {
			require.Equal(t, text([]byte(header.Key)), got.Headers[i].Key)
			if got.Headers[i].Base64 == nil {
				requireText(t, header.Value, got.Headers[i].Value, got.Headers[i].More)
				continue
			}
			decoded, err := base64.StdEncoding.DecodeString(*got.Headers[i].Base64 + strings.Join(got.Headers[i].More, ""))
			require.NoError(t, err)
			require.Equal(t, header.Value, decoded)
		}
		requireValue(t, value, got)
		require.Equal(t, value == nil, bytes.HasSuffix(line, []byte(`,"text":null}`+"\n")), "load knows a tombstone by the end of its line")
	})
}

// requireValue requires that a line has the value of its record, and that what is to be parsed is
// JSON with the same texts.
func requireValue(t *testing.T, value []byte, got landed) {
	t.Helper()
	if got.Value == nil {
		requireText(t, value, got.Text, got.More)
		require.Empty(t, got.Elements)
		return
	}
	require.Nil(t, got.Text)
	require.Equal(t, string(value), *got.Value)
	require.True(t, jsontext.Value(value).IsValid(), "%q", value)
	if got.Elements == nil {
		return
	}
	originals := []json.RawMessage{value}
	if trimmed := bytes.TrimSpace(value); trimmed[0] == '[' {
		require.NoError(t, json.Unmarshal(value, &originals))
	}
	require.Len(t, got.Elements, len(originals))
	for i, element := range got.Elements {
		require.True(t, jsontext.Value(element).IsValid(), "%q", element)
		original := bytes.TrimSpace(originals[i])
		if original[0] != '{' {
			require.Equal(t, string(original), element)
			continue
		}
		var before, after map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(original, &before))
		require.NoError(t, json.Unmarshal([]byte(element), &after))
		require.Len(t, after, len(before))
		for name, was := range before {
			var written string
			if string(after[name]) != string(was) {
				require.NoError(t, json.Unmarshal(after[name], &written), "%s", name)
				require.Equal(t, string(was), written, "a field that is spelled in another way is the string of what was written")
			}
		}
	}
}

// requireText requires the text of bytes: none for nil.
func requireText(t *testing.T, want []byte, got *string, more []string) {
	t.Helper()
	if want == nil {
		require.Nil(t, got)
		require.Empty(t, more)
		return
	}
	require.NotNil(t, got)
	require.Equal(t, text(want), *got+strings.Join(more, ""))
}

// text returns bytes as a text: each that is not UTF-8 is U+FFFD.
func text(bytes []byte) string { return string([]rune(string(bytes))) }
