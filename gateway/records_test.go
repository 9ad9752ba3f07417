package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

func TestParseRecords(t *testing.T) {
	// What the parser accepts is JSON for another parser, too, with the same values; what it
	// rejects sends nothing.
	t.Run("agrees_with_another_parser", func(t *testing.T) {
		parts := []string{`{"records":[`, `{"value":`, `"key":`, `"partition":`, `{`, `}`, `[`, `]`, `,`, `:`, `"a"`, `"\ud800"`, `"\u00e9"`, `null`, `1`, `-0.5e3`, `12345678901234567890`,
			`true`, ` `, "\n", `{"a":1,"a":2}`, `[{"b":[]}]`, `]}`, `},`, `"records"`, `"value"`, `\`, `"`, `0`, "\x01", "é"}
		accepted := 0
		rapid.Check(t, func(t *rapid.T) {
			var body string
			if rapid.Bool().Draw(t, "free") {
				body = strings.Join(rapid.SliceOf(rapid.SampledFrom(parts)).Draw(t, "parts"), "")
			} else {
				records := rapid.SliceOfN(rapid.SampledFrom([]string{`{"value":1}`, `{"key":"k","value":{"a": [1, 2 ]}}`, `{"value":"\ud800"}`, `{}`, `{"value": null}`,
					`{"value":{"a":1,"a":2},"partition":3}`, `{"key":7,"value":"é\n"}`, `{"value":-1.5E+9}`, `{"value":nul}`}), 1, 5).Draw(t, "records")
				body = `{"records":[` + strings.Join(records, ",") + `]}`
			}
			messages, err := parseRecords([]byte(body), DefaultLimits)
			if err != nil {
				require.ErrorAs(t, err, new(problem))
				return
			}
			accepted++
			require.True(t, json.Valid([]byte(body)), body)
			var other struct {
				Records []struct{ Value json.RawMessage }
			}
			require.NoError(t, json.Unmarshal([]byte(body), &other))
			require.Len(t, messages, len(other.Records))
			for i, m := range messages {
				if value := other.Records[i].Value; m.Value == nil {
					require.Contains(t, []string{"", "null"}, string(value))
				} else {
					require.Equal(t, string(value), string(m.Value))
				}
			}
		})
		require.Positive(t, accepted)
	})
}

// BenchmarkProduce is the gateway without Kafka: an operation is one record.
func BenchmarkProduce(b *testing.B) {
	const records = 500
	broker := &nullBroker{fakeBroker: newFakeBroker("pinflow.pin")}
	handler := newTestServer(b, broker, nil).Handler()
	value := `{"index": 7528, "unique_id": "fbe53c66-3442-4773-b19e-d3ec6f54dddf", "title": "` + strings.Repeat("No title ", 60) + `"}`
	body := `{"records":[{"key":"7528","value":` + value + `}` + strings.Repeat(`,{"key":"7528","value":`+value+`}`, records-1) + `]}`
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for n := 0; n < b.N; n += records {
		if w := serveWith(handler, post("pinflow.pin", body)); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}

// nullBroker acknowledges all records and drops them.
type nullBroker struct{ *fakeBroker }

func (nullBroker) Produce(_ context.Context, _ string, messages []kafka.Message) ([]kafka.Ack, error) {
	return make([]kafka.Ack, len(messages)), nil
}
