package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// Error codes of Confluent's REST Proxy, API version 2
// (https://docs.confluent.io/platform/current/kafka-rest/api.html#errors). The code of all other
// errors is the HTTP status.
const (
	codeKafkaAuthentication = 40101
	codeKafkaAuthorization  = 40301
	codeTopicNotFound       = 40401
	codePartitionNotFound   = 40402
	codeKafka               = 50002
	codeKafkaRetriable      = 50003
)

// contentType is the type of responses, versionedJSON that of produce requests.
const (
	contentType   = "application/vnd.kafka.v2+json"
	versionedJSON = "application/vnd.kafka.json.v2+json"
)

// retryAfter is the Retry-After of a client whose records the gateway or Kafka cannot take now, in
// seconds: the shortest that HTTP has.
const retryAfter = 1

// problem is an error as the client gets it. A code of 0 is the status.
type problem struct {
	status  int
	code    int
	message string
	// after is when the client may try again; retryAfter if it is shorter.
	after time.Duration
}

func (p problem) Error() string { return p.message }

// fail responds with a problem, in Confluent's format.
func fail(w http.ResponseWriter, p problem) {
	if p.code == 0 {
		p.code = p.status
	}
	if p.status == http.StatusTooManyRequests || p.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(max(retryAfter, int(math.Ceil(p.after.Seconds())))))
	}
	answer(w, p.status, struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}{p.code, p.message})
}

// answer writes a JSON response. It ignores the error of a client that has disconnected.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// problemOf returns the problem for an error of a whole request. Only with status 504 may Kafka have
// records of it.
func problemOf(err error) problem {
	var known problem
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, kafka.ErrUnknownTopic):
		return problem{status: http.StatusNotFound, code: codeTopicNotFound, message: "Topic not found."}
	case errors.Is(err, kafka.ErrUnknownPartition):
		return problem{status: http.StatusNotFound, code: codePartitionNotFound, message: "Partition not found: " + err.Error()}
	case errors.Is(err, kafka.ErrUnknownOutcome):
		return problem{status: http.StatusGatewayTimeout, code: codeKafkaRetriable, message: "The outcome is unknown, and sending the records again may write them twice: " + err.Error()}
	case errors.Is(err, kafka.ErrClosed), passes(err):
		return problem{status: http.StatusServiceUnavailable, code: codeKafkaRetriable, message: "Kafka is unavailable, try again later: " + err.Error()}
	}
	status := map[int]int{codeKafkaAuthentication: http.StatusUnauthorized, codeKafkaAuthorization: http.StatusForbidden}
	code := recordCode(err)
	return problem{status: cmp.Or(status[code], http.StatusInternalServerError), code: code, message: "Kafka error: " + err.Error()}
}

// recordCode returns the error code of a record that was not written.
func recordCode(err error) int {
	switch fault.KindOf(kafka.Classify(err)) {
	case fault.Unreachable, fault.Missing:
		return codeKafkaRetriable
	case fault.Unauthenticated:
		return codeKafkaAuthentication
	case fault.Unauthorized:
		return codeKafkaAuthorization
	}
	return codeKafka
}

// passes reports whether a retry may succeed: Kafka cannot be reached, or its metadata is outdated.
func passes(err error) bool { return recordCode(err) == codeKafkaRetriable }
