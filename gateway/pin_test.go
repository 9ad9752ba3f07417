package main

import (
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

// examplePost has all fields of the three tables.
const examplePost = `{"index": 7528, "unique_id": "fbe53c66-3442-4773-b19e-d3ec6f54dddf", "title": "No Title Data Available",
 "description": "No description available Story format", "poster_name": "User Info Error", "follower_count": "User Info Error",
 "tag_list": "N,o, ,T,a,g,s", "is_image_or_video": "multi-video(story page format)", "image_src": "Image src error.", "downloaded": 0,
 "save_location": "Local save in /data/mens-fashion", "category": "mens-fashion",
 "ind": 7528, "timestamp": "2020-08-28T03:52:47", "latitude": -89.9787, "longitude": -173.293, "country": "Albania",
 "first_name": "Abigail", "last_name": "Ali", "age": 20, "date_joined": "2015-10-24T11:23:51"}`

func postPin(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/pin/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("x-api-key", testKey)
	return r
}

func TestPin(t *testing.T) {
	const topic = "Pinterest_data"
	t.Run("writes_the_post_and_responds_with_it", func(t *testing.T) {
		broker := newFakeBroker(topic)
		w := serve(t, newTestServer(t, broker, nil), postPin("\n"+examplePost+"\n"))
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.Equal(t, examplePost, w.Body.String())
		require.Equal(t, []kafka.Message{{Partition: kafka.AnyPartition, Key: []byte("7528"), Value: []byte(examplePost)}}, broker.records(topic))
	})

	t.Run("chooses_a_key_by_which_posts_keep_their_order", func(t *testing.T) {
		for body, want := range map[string]string{
			`{"unique_id":"a-b","ind":"6","index":7528}`: "7528",
			`{"unique_id":"a-b","ind":6}`:                "6",
			`{"index":null,"unique_id":"\u00e4"}`:        "ä",
			`{"index":"7528"}`:                           "7528",
			`{"nested":{"index":1},"unique_id":"u"}`:     "u",
			`{"index":12345678901234567890}`:             "12345678901234567890",
		} {
			message, err := parsePost([]byte(body), DefaultLimits)
			require.NoError(t, err, body)
			require.Equal(t, want, string(message.Key), body)
			require.Equal(t, body, string(message.Value))
		}
	})

	t.Run("refuses", func(t *testing.T) {
		for name, c := range map[string]struct {
			body   string
			status int
		}{
			"nothing":             {"", 400},
			"text":                {"index=7", 400},
			"half of it":          {`{"index":7`, 400},
			"two":                 {`{"index":7}{"index":8}`, 400},
			"bytes":               {"{\"index\":\"\xff\"}", 400},
			"an array":            {`[{"index":7}]`, 422},
			"a null":              {`null`, 422},
			"what has no key":     {`{"title":"x"}`, 422},
			"a key that is none":  {`{"index":{}, "unique_id":[]}`, 422},
			"more than Kafka has": {`{"index":7,"title":"` + strings.Repeat("x", kafka.MaxMessageBytes) + `"}`, 413},
		} {
			t.Run(name, func(t *testing.T) {
				broker := newFakeBroker(topic)
				requireProblem(t, serve(t, newTestServer(t, broker, nil), postPin(c.body)), c.status, c.status)
				require.Empty(t, broker.records(topic))
			})
		}
		server := newTestServer(t, newFakeBroker(topic), nil)
		other := postPin(examplePost)
		other.Header.Set("Content-Type", versionedJSON)
		requireProblem(t, serve(t, server, other), 415, 415)
		other = postPin(examplePost)
		other.Header.Del("x-api-key")
		requireProblem(t, serve(t, server, other), 401, 401)
		other = postPin(examplePost)
		other.Method = http.MethodGet
		requireProblem(t, serve(t, server, other), 405, 405)
		other = postPin(examplePost)
		other.URL.Path = "/pin/7528"
		requireProblem(t, serve(t, server, other), 404, 404)
	})

	t.Run("reports_faults_of_kafka", func(t *testing.T) {
		for want, err := range map[[2]int]error{
			{503, 50003}: errors.New("connection refused"),
			{504, 50003}: kafka.ErrUnknownOutcome,
			{500, 50002}: kafkago.MessageSizeTooLarge,
			{401, 40101}: kafkago.SASLAuthenticationFailed,
			{403, 40301}: kafkago.TopicAuthorizationFailed,
		} {
			broker := newFakeBroker(topic)
			broker.ack = func(int, kafka.Message) error { return fmt.Errorf("produce: %w", err) }
			requireProblem(t, serve(t, newTestServer(t, broker, nil), postPin(examplePost)), want[0], want[1])
		}
		requireProblem(t, serve(t, newTestServer(t, newFakeBroker(), nil), postPin(examplePost)), 404, 40401)
	})

	t.Run("counts_against_the_limit_of_its_key", func(t *testing.T) {
		server := newTestServer(t, newFakeBroker(topic), func(o *Options) { o.Limits.InFlightBytes = 100 })
		requireProblem(t, serve(t, server, postPin(examplePost)), 429, 429)
	})
}
