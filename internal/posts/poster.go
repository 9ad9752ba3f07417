package posts

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// requestTimeout is longer than the gateway waits for Kafka.
	requestTimeout        = 90 * time.Second
	firstPause, lastPause = 50 * time.Millisecond, 3 * time.Second
	// maxAnswerBytes limits the size of a response: it has some 100 bytes for each record.
	maxAnswerBytes = 8 << 20
	// retriableCode is Confluent's code of a record that can be retried.
	retriableCode = 50003
)

// newClient returns an HTTP client that keeps a connection for each topic.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = len(Kinds) + 1
	return &http.Client{Transport: transport, Timeout: requestTimeout}
}

// tryLater is an error after which a retry may succeed.
type tryLater struct {
	err   error
	after time.Duration // the Retry-After of the gateway, or 0
}

func (t *tryLater) Error() string { return t.err.Error() }
func (t *tryLater) Unwrap() error { return t.err }

// poster sends produce requests to the gateway.
type poster struct {
	client   *http.Client
	url, key string
}

// post sends lines to a topic and returns how many of them, from the first, the gateway has
// acknowledged. All others must be sent again, also those after a failed one, so that the last
// copies are in the right order.
func (p poster) post(ctx context.Context, topic string, lines []Line) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/topics/"+url.PathEscape(topic), bytes.NewReader(requestBody(lines)))
	if err != nil {
		return 0, fmt.Errorf("PINFLOW_GATEWAY_URL=%s: %w", p.url, err)
	}
	request.Header.Set("Content-Type", "application/vnd.kafka.json.v2+json")
	request.Header.Set("Accept", "application/vnd.kafka.v2+json")
	request.Header.Set("x-api-key", p.key)
	answer, err := p.client.Do(request)
	if err != nil {
		return 0, &tryLater{err: err}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
	if err != nil {
		return 0, &tryLater{err: err}
	}
	if answer.StatusCode != http.StatusOK {
		return 0, refusal(answer, body)
	}
	return countAcks(lines, body)
}

// requestBody returns {"records":[{"key":…,"value":…}]} with the values unchanged.
func requestBody(lines []Line) []byte {
	size := 16
	for _, line := range lines {
		size += len(line.Key) + len(line.Value) + 24
	}
	body := append(make([]byte, 0, size), `{"records":[`...)
	for i, line := range lines {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, '{')
		if line.Key != "" {
			body = append(body, `"key":`...)
			body, _ = jsontext.AppendQuote(body, line.Key) // invalid UTF-8 is replaced
			body = append(body, ',')
		}
		body = append(append(append(body, `"value":`...), line.Value...), '}')
	}
	return append(body, `]}`...)
}

// countAcks returns how many records, from the first, have an offset.
func countAcks(lines []Line, body []byte) (int, error) {
	var acks struct {
		Offsets []struct {
			Code  *int   `json:"error_code"`
			Error string `json:"error"`
		} `json:"offsets"`
	}
	if err := json.Unmarshal(body, &acks); err != nil || len(acks.Offsets) != len(lines) {
		return 0, fmt.Errorf("the gateway's response to %d records is not a produce response: %.200s", len(lines), body)
	}
	for i, ack := range acks.Offsets {
		if ack.Code == nil {
			continue
		}
		err := fmt.Errorf("%s: Kafka rejected the record (error %d): %s", lines[i].Origin, *ack.Code, ack.Error)
		if *ack.Code == retriableCode {
			return i, &tryLater{err: err}
		}
		return i, err
	}
	return len(lines), nil
}

// refusal returns the error for an HTTP error of the gateway.
func refusal(answer *http.Response, body []byte) error {
	var problem struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &problem) != nil || problem.Message == "" {
		problem.Message = fmt.Sprintf("%.200s", body)
	}
	err := fmt.Errorf("the gateway responded %s: %s", answer.Status, problem.Message)
	switch status := answer.StatusCode; {
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= http.StatusInternalServerError:
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After")) // the gateway does not send dates
		return &tryLater{err: err, after: time.Duration(seconds) * time.Second}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("%w: set PINFLOW_API_KEYS to a valid key", err)
	case status == http.StatusNotFound:
		return fmt.Errorf("%w: run `starter setup`, which creates the topics of PINFLOW_USER_ID", err)
	}
	return err
}

// jitter returns between half and all of a pause, so that the topics do not retry at the same
// moment.
func jitter(pause time.Duration) time.Duration {
	return pause/2 + rand.N(pause/2)
}
