package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// Error codes of Confluent's REST Proxy, API version 2
// (https://docs.confluent.io/platform/current/kafka-rest/api.html#errors). An error without a code of its own has the HTTP status as its code.
const (
	codeKafkaAuthentication = 40101
	codeKafkaAuthorization  = 40301
	codeTopicNotFound       = 40401
	codePartitionNotFound   = 40402
	codeKafka               = 50002
	codeKafkaRetriable      = 50003
)

// contentType is what answers are; versionedJSON is what produce requests must be.
const (
	contentType   = "application/vnd.kafka.v2+json"
	versionedJSON = "application/vnd.kafka.json.v2+json"
)

// retryAfter is what a client is asked to wait, in seconds, when the gateway or Kafka cannot take its records now.
// HTTP knows no shorter time.
const retryAfter = 1

// problem is an error as a client sees it. A code of 0 stands for the status.
type problem struct {
	status  int
	code    int
	message string
}

func (p problem) Error() string { return p.message }

// fail answers with a problem, in Confluent's shape.
func fail(w http.ResponseWriter, p problem) {
	if p.code == 0 {
		p.code = p.status
	}
	if p.status == http.StatusTooManyRequests || p.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	answer(w, p.status, struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}{p.code, p.message})
}

// answer writes a JSON answer. A client that has gone away is no concern of the server's.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// problemOf says what an error of the whole request, after which nothing has been sent to Kafka, means to the client.
func problemOf(err error) problem {
	var known problem
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, kafka.ErrUnknownTopic):
		return problem{status: http.StatusNotFound, code: codeTopicNotFound, message: "Topic not found."}
	case errors.Is(err, kafka.ErrUnknownPartition):
		return problem{status: http.StatusNotFound, code: codePartitionNotFound, message: "Partition not found: " + err.Error()}
	case errors.Is(err, kafka.ErrClosed), passes(err):
		return problem{status: http.StatusServiceUnavailable, code: codeKafkaRetriable, message: "Kafka does not answer, try again later: " + err.Error()}
	}
	return problem{status: http.StatusInternalServerError, code: codeKafka, message: "Kafka error: " + err.Error()}
}

// recordCode is the error code of one record that Kafka has not taken.
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
