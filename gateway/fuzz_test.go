package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzRecords checks that any body is either a problem for its client, or messages whose values are
// those of the body, byte for byte.
func FuzzRecords(f *testing.F) {
	for _, body := range []string{
		oneRecord, `{"records":[{"key":"a","value":{"b":[1,2.50,"\ud83c"]},"partition":3}]}`, `{"records":[{"value":null}],"value_schema_id":7}`, `{"records":[]}`,
		`null`, `[]`, `{"records":null}`, `{"records":{}}`, `{"records":[1]}`, `{"records":[{"value":1},{"value":1}]} x`, `{"records":[{"partition":-1}]}`,
		`{"records":[{"value":1e999}]}`, "{\"records\":[{\"value\":\"\xff\"}]}", `{"records":[{"value":1}],"records":[{"value":2}]}`, `{"records":[{"key":"\u0000"}]}`, "",
	} {
		f.Add([]byte(body))
	}
	limits := DefaultLimits
	limits.Records, limits.RecordBytes = 100, 1000
	f.Fuzz(func(t *testing.T, body []byte) {
		original := bytes.Clone(body)
		messages, err := parseRecords(body, limits)
		require.Equal(t, original, body)
		if err != nil {
			var known problem
			require.True(t, errors.As(err, &known), "%v", err)
			require.GreaterOrEqual(t, known.status, 400)
			require.Less(t, known.status, 500)
			return
		}
		require.NotEmpty(t, messages)
		require.LessOrEqual(t, len(messages), limits.Records)
		for _, m := range messages {
			require.LessOrEqual(t, len(m.Key)+len(m.Value), limits.RecordBytes)
			if m.Value != nil {
				require.True(t, json.Valid(m.Value), "%s", m.Value)
				require.Contains(t, string(body), string(m.Value))
			}
		}
	})
}
