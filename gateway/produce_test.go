package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

func TestProduce(t *testing.T) {
	t.Run("returns_the_offset_of_each_record", func(t *testing.T) {
		broker := newFakeBroker("pinflow.pin")
		w := serve(t, newTestServer(t, broker, nil), post("pinflow.pin", `{"records":[{"key":"7528","value":{"index":7528}},{"value":[1]}]}`))
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "application/vnd.kafka.v2+json", w.Header().Get("Content-Type"))
		require.JSONEq(t, `{"offsets":[{"partition":0,"offset":0,"error_code":null,"error":null},{"partition":0,"offset":1,"error_code":null,"error":null}],
		"key_schema_id":null,"value_schema_id":null}`, w.Body.String())
		require.Equal(t, []kafka.Message{
			{Partition: kafka.AnyPartition, Key: []byte("7528"), Value: []byte(`{"index":7528}`)},
			{Partition: kafka.AnyPartition, Value: []byte("[1]")},
		}, broker.records("pinflow.pin"))
	})

	t.Run("keeps_values_byte_for_byte", func(t *testing.T) {
		for _, value := range []string{
			`{"n":123456789012345678901234567890.000}`, `{"a":1,"a":2}`, `"\ud800"`, `{"\udead":"\uD83D\uDE00 😀"}`, `1e999999`, `-0`, `"text"`,
			"{ \"spaced\" :\n[ 1 ,\t2 ] }", `true`, `""`, `"<b>&\u0026\/"`, `[]`, strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000),
		} {
			broker := newFakeBroker("pinflow.pin")
			w := serve(t, newTestServer(t, broker, nil), post("pinflow.pin", `{"records":[{"value": `+value+` ,"key":"1"}]}`))
			require.Equal(t, http.StatusOK, w.Code, "%s: %s", value, w.Body)
			require.Equal(t, value, string(broker.records("pinflow.pin")[0].Value))
		}
	})

	t.Run("reads_keys_and_partitions", func(t *testing.T) {
		broker := newFakeBroker("pinflow.pin")
		w := serve(t, newTestServer(t, broker, nil), post("pinflow.pin", `{"key_schema":null,"value_schema_id":3,"records":[
		{"key":"7528"},{"key":7528,"value":null},{"key":"\u00e9\n","value":1},{"key":null,"value":1},{"key":{"a": 1},"value":1,"partition":2},
		{"key":"","value":1,"partition":null},{"key":"\ud800","value":1},{}]}`))
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		one := []byte("1")
		require.Equal(t, []kafka.Message{
			{Partition: -1, Key: []byte("7528")},
			{Partition: -1, Key: []byte("7528")},
			{Partition: -1, Key: []byte("é\n"), Value: one},
			{Partition: -1, Value: one},
			{Partition: 2, Key: []byte(`{"a": 1}`), Value: one},
			{Partition: -1, Key: []byte{}, Value: one},
			{Partition: -1, Key: []byte("\ufffd"), Value: one},
			{Partition: -1},
		}, broker.records("pinflow.pin"))
	})

	t.Run("rejects_invalid_requests_before_it_sends_records", func(t *testing.T) {
		const good = `{"records":[{"value":1}]}`
		header := func(name, value string) func(*http.Request) {
			return func(r *http.Request) {
				if r.Header.Del(name); value != "" {
					r.Header.Set(name, value)
				}
			}
		}
		for name, c := range map[string]struct {
			topic, body  string
			change       func(*http.Request)
			status, code int
		}{
			"no API key":                {body: good, change: header("x-api-key", ""), status: 401, code: 401},
			"wrong API key":             {body: good, change: header("x-api-key", "wrong"), status: 403, code: 403},
			"part of an API key":        {body: good, change: header("x-api-key", testKey[:3]), status: 403, code: 403},
			"unknown topic":             {topic: "pinflow.nothing", body: good, status: 404, code: 40401},
			"topic of another user":     {topic: "other.pin", body: good, status: 404, code: 40401},
			"topic that is the prefix":  {topic: "pinflow.", body: good, status: 404, code: 40401},
			"unknown partition":         {body: `{"records":[{"value":1,"partition":7}]}`, status: 404, code: 40402},
			"no content type":           {body: good, change: header("Content-Type", ""), status: 415, code: 415},
			"plain JSON":                {body: good, change: header("Content-Type", "application/json"), status: 415, code: 415},
			"binary format":             {body: good, change: header("Content-Type", "application/vnd.kafka.binary.v2+json"), status: 415, code: 415},
			"another charset":           {body: good, change: header("Content-Type", versionedJSON+"; charset=latin1"), status: 415, code: 415},
			"compressed":                {body: good, change: header("Content-Encoding", "gzip"), status: 415, code: 415},
			"empty body":                {body: "", status: 422, code: 422},
			"blank body":                {body: " \n", status: 422, code: 422},
			"null":                      {body: "null", status: 422, code: 422},
			"no JSON":                   {body: "hello", status: 400, code: 400},
			"cut off":                   {body: `{"records":[{"value":{"a":`, status: 400, code: 400},
			"cut off after a record":    {body: `{"records":[{"value":1}`, status: 400, code: 400},
			"broken second record":      {body: `{"records":[{"value":1},{"value":tru}]}`, status: 400, code: 400},
			"an array":                  {body: `[{"value":1}]`, status: 400, code: 400},
			"a string":                  {body: `"records"`, status: 400, code: 400},
			"something behind it":       {body: good + `{"records":[]}`, status: 400, code: 400},
			"not UTF-8":                 {body: "{\"records\":[{\"value\":\"\xff\"}]}", status: 400, code: 400},
			"single quotes":             {body: `{'records':[]}`, status: 400, code: 400},
			"NaN":                       {body: `{"records":[{"value":NaN}]}`, status: 400, code: 400},
			"bare newline in a string":  {body: "{\"records\":[{\"value\":\"a\nb\"}]}", status: 400, code: 400},
			"no records":                {body: `{}`, status: 422, code: 422},
			"records is null":           {body: `{"records":null}`, status: 422, code: 422},
			"records is empty":          {body: `{"records":[]}`, status: 422, code: 422},
			"records is no array":       {body: `{"records":{"value":1}}`, status: 400, code: 400},
			"records twice":             {body: `{"records":[{"value":1}],"records":[{"value":2}]}`, status: 400, code: 400},
			"value twice":               {body: `{"records":[{"value":1,"value":2}]}`, status: 400, code: 400},
			"a record is a number":      {body: `{"records":[{"value":1},7]}`, status: 400, code: 400},
			"a record is null":          {body: `{"records":[null]}`, status: 400, code: 400},
			"unknown field":             {body: `{"records":[{"value":1}],"more":1}`, status: 422, code: 422},
			"unknown field of a record": {body: `{"records":[{"value":1,"vaule":1}]}`, status: 422, code: 422},
			"negative partition":        {body: `{"records":[{"value":1,"partition":-1}]}`, status: 422, code: 422},
			"partition is text":         {body: `{"records":[{"value":1,"partition":"1"}]}`, status: 400, code: 400},
			"partition is a fraction":   {body: `{"records":[{"value":1,"partition":1.5}]}`, status: 400, code: 400},
			"nested too deeply":         {body: `{"records":[{"value":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}]}`, status: 400, code: 400},
			"body too large":            {body: `{"records":[{"value":"` + strings.Repeat("x", 4096) + `"}]}`, status: 413, code: 413},
			"body of unknown size": {body: `{"records":[{"value":"` + strings.Repeat("x", 4096) + `"}]}`,
				change: func(r *http.Request) { r.ContentLength = -1 }, status: 413, code: 413},
			"record too large": {body: `{"records":[{"value":1},{"key":"` + strings.Repeat("k", 300) + `","value":"` + strings.Repeat("x", 800) + `"}]}`, status: 413, code: 413},
			"too many records": {body: `{"records":[` + strings.Repeat(`{"value":1},`, 20) + `{"value":1}]}`, status: 413, code: 413},
			"body shorter than said": {body: good, change: func(r *http.Request) { r.ContentLength = 500 },
				status: 400, code: 400},
		} {
			t.Run(name, func(t *testing.T) {
				broker := newFakeBroker("pinflow.pin", "other.pin", "pinflow.")
				broker.before = func(_ string, messages []kafka.Message) error {
					for _, m := range messages {
						if m.Partition > 0 {
							return kafka.ErrUnknownPartition
						}
					}
					return nil
				}
				server := newTestServer(t, broker, func(o *Options) { o.Limits.BodyBytes, o.Limits.RecordBytes, o.Limits.Records = 4096, 1000, 20 })
				if strings.Contains(name, "deeply") {
					server = newTestServer(t, broker, nil)
				}
				if c.topic == "" {
					c.topic = "pinflow.pin"
				}
				r := post(c.topic, c.body)
				if c.change != nil {
					c.change(r)
				}
				w := serve(t, server, r)
				requireProblem(t, w, c.status, c.code)
				for topic := range broker.topics {
					require.Empty(t, broker.records(topic))
				}
			})
		}
	})

	t.Run("reports_faults_of_kafka", func(t *testing.T) {
		for name, c := range map[string]struct {
			err          error
			status, code int
			later        bool
		}{
			"no broker answers":   {fmt.Errorf("%w at 10.0.0.1: dial", kafka.ErrUnreachable), 503, 50003, true},
			"the producer ends":   {kafka.ErrClosed, 503, 50003, true},
			"a final rejection":   {kafkago.PolicyViolation, 500, 50002, false},
			"a lost connection":   {errors.New("EOF"), 503, 50003, true},
			"a topic gone":        {kafka.ErrUnknownTopic, 404, 40401, false},
			"a partition missing": {kafka.ErrUnknownPartition, 404, 40402, false},
		} {
			t.Run(name, func(t *testing.T) {
				broker := newFakeBroker("pinflow.pin")
				broker.before = func(string, []kafka.Message) error { return c.err }
				w := serve(t, newTestServer(t, broker, nil), post("pinflow.pin", `{"records":[{"value":1}]}`))
				requireProblem(t, w, c.status, c.code)
				require.Equal(t, c.later, w.Header().Get("Retry-After") != "")
			})
		}
	})

	t.Run("returns_the_error_code_of_a_rejected_record", func(t *testing.T) {
		for name, c := range map[string]struct {
			err          error
			status, code int
		}{
			"too large for the topic": {kafkago.MessageSizeTooLarge, 200, 50002},
			"no leader in time":       {kafkago.LeaderNotAvailable, 200, 50003},
			"not authenticated":       {kafkago.SASLAuthenticationFailed, 401, 40101},
			"not authorized":          {kafkago.TopicAuthorizationFailed, 403, 40301},
		} {
			t.Run(name, func(t *testing.T) {
				broker := newFakeBroker("pinflow.pin")
				broker.ack = func(i int, _ kafka.Message) error {
					if i == 1 {
						return fmt.Errorf("produce: %w", c.err)
					}
					return nil
				}
				w := serve(t, newTestServer(t, broker, nil), post("pinflow.pin", `{"records":[{"value":1},{"value":2},{"value":3}]}`))
				require.Equal(t, c.status, w.Code)
				var body struct {
					Offsets []struct {
						Partition, Offset *int64
						ErrorCode         *int `json:"error_code"`
						Error             *string
					}
				}
				require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
				require.Len(t, body.Offsets, 3)
				require.EqualValues(t, 1, *body.Offsets[2].Offset)
				require.Nil(t, body.Offsets[2].ErrorCode)
				require.Nil(t, body.Offsets[1].Offset)
				require.Nil(t, body.Offsets[1].Partition)
				require.Equal(t, c.code, *body.Offsets[1].ErrorCode)
				require.NotEmpty(t, *body.Offsets[1].Error)
			})
		}
	})

	t.Run("is_unavailable_if_no_record_reaches_kafka", func(t *testing.T) {
		broker := newFakeBroker("pinflow.pin")
		broker.ack = func(int, kafka.Message) error { return errors.New("connection refused") }
		w := serve(t, newTestServer(t, broker, nil), post("pinflow.pin", `{"records":[{"value":1},{"value":2}]}`))
		requireProblem(t, w, 503, 50003)
		require.NotEmpty(t, w.Header().Get("Retry-After"))
	})

	// A client that sends the records again after 504 may write them twice, after 503 it does not.
	t.Run("says_that_the_outcome_is_unknown", func(t *testing.T) {
		for name, c := range map[string]struct {
			errs   []error
			status int
		}{
			"of all":                {[]error{kafka.ErrUnknownOutcome, kafka.ErrUnknownOutcome}, 504},
			"of one, others failed": {[]error{errors.New("connection refused"), kafka.ErrUnknownOutcome}, 504},
			"of one":                {[]error{nil, kafka.ErrUnknownOutcome}, 200},
		} {
			t.Run(name, func(t *testing.T) {
				broker := newFakeBroker("pinflow.pin")
				broker.ack = func(i int, _ kafka.Message) error {
					if c.errs[i] == nil {
						return nil
					}
					return fmt.Errorf("%w; last error: %w", c.errs[i], context.DeadlineExceeded)
				}
				w := serve(t, newTestServer(t, broker, nil), post("pinflow.pin", `{"records":[{"value":1},{"value":2}]}`))
				require.Equal(t, c.status, w.Code)
				require.Contains(t, w.Body.String(), "may have written the record")
				require.Contains(t, w.Body.String(), `"error_code":50003`)
				require.Empty(t, w.Header().Get("Retry-After"), "nobody asks for it to be sent again")
			})
		}
	})

	t.Run("completes_a_request_whose_client_disconnected", func(t *testing.T) {
		broker := newFakeBroker("pinflow.pin")
		ctx, cancel := context.WithCancel(context.Background())
		broker.before = func(string, []kafka.Message) error { cancel(); return nil }
		serve(t, newTestServer(t, &contextBroker{fakeBroker: broker}, nil), post("pinflow.pin", `{"records":[{"value":1}]}`).WithContext(ctx))
		require.Len(t, broker.records("pinflow.pin"), 1)
	})
}

// requireProblem checks an error in Confluent's format.
func requireProblem(t *testing.T, w *httptest.ResponseRecorder, status, code int) {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body)
	require.Equal(t, contentType, w.Header().Get("Content-Type"))
	var body map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	require.Len(t, body, 2)
	require.EqualValues(t, code, body["error_code"])
	require.NotEmpty(t, body["message"])
}

// contextBroker fails when the context of the call has ended, as a real producer does.
type contextBroker struct{ *fakeBroker }

func (b *contextBroker) Produce(ctx context.Context, topic string, messages []kafka.Message) ([]kafka.Ack, error) {
	if err := b.before(topic, messages); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return b.fakeBroker.Produce(ctx, topic, messages)
}
