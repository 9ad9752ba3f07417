package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// patience limits every wait; it is not an expectation of speed.
const patience = time.Minute

const testKey = "right-key"

// fakeBroker keeps the records. Its function fields change what it does.
type fakeBroker struct {
	mu     sync.Mutex
	topics map[string][]kafka.Message
	// before, if not nil, can fail a call of Produce.
	before func(topic string, messages []kafka.Message) error
	// ack, if not nil, is the error of the i-th record.
	ack    func(i int, m kafka.Message) error
	down   error
	closed bool
}

func newFakeBroker(topics ...string) *fakeBroker {
	b := &fakeBroker{topics: map[string][]kafka.Message{}}
	for _, topic := range topics {
		b.topics[topic] = nil
	}
	return b
}

func (b *fakeBroker) Produce(_ context.Context, topic string, messages []kafka.Message) ([]kafka.Ack, error) {
	if b.before != nil {
		if err := b.before(topic, messages); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.topics[topic]; !ok {
		return nil, kafka.ErrUnknownTopic
	}
	acks := make([]kafka.Ack, len(messages))
	for i, m := range messages {
		if b.ack != nil {
			if acks[i].Err = b.ack(i, m); acks[i].Err != nil {
				continue
			}
		}
		acks[i].Offset = int64(len(b.topics[topic]))
		b.topics[topic] = append(b.topics[topic], kafka.Message{
			Partition: m.Partition, Key: clone(m.Key), Value: clone(m.Value),
		})
	}
	return acks, nil
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func (b *fakeBroker) Topics(context.Context) ([]kafka.TopicInfo, error) {
	var infos []kafka.TopicInfo
	for name := range b.topics {
		infos = append(infos, kafka.TopicInfo{Name: name, Partitions: 1})
	}
	return infos, b.down
}

func (b *fakeBroker) Ready(context.Context, func(string) bool) error { return b.down }

func (b *fakeBroker) Close(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// records returns the records of a topic.
func (b *fakeBroker) records(topic string) []kafka.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.topics[topic]
}

func newTestServer(t testing.TB, broker Broker, change func(*Options)) *Server {
	t.Helper()
	options := Options{
		Broker: broker, Prefix: "pinflow.", Posts: "Pinterest_data", APIKeys: []string{"other-key", testKey}, Limits: DefaultLimits,
		Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&options)
	}
	server, err := NewServer(options)
	require.NoError(t, err)
	return server
}

// post returns a produce request.
func post(topic, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/topics/"+topic, strings.NewReader(body))
	r.Header.Set("Content-Type", versionedJSON)
	r.Header.Set("x-api-key", testKey)
	return r
}

// serve returns the response to a request, which the OpenAPI document must have.
func serve(t testing.TB, s *Server, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := serveWith(s.Handler(), r)
	requireDocumented(t, r, w)
	return w
}

func serveWith(handler http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}
