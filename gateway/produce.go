package main

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// produce writes the records of a request to a topic and responds with their offsets once all
// in-sync replicas have them. It validates the whole request before it sends the first record.
func (s *Server) produce(w http.ResponseWriter, r *http.Request) {
	topic := r.PathValue("topic")
	held, err := s.admit(r, topic, versionedJSON)
	if err != nil {
		fail(w, problemOf(err))
		return
	}
	defer held.leave()
	body, err := s.readBody(w, r, held)
	if err != nil {
		fail(w, problemOf(err))
		return
	}
	messages, err := parseRecords(body, s.limits)
	if err != nil {
		fail(w, problemOf(err))
		return
	}
	acks, err := s.write(r, held, topic, messages)
	if err != nil {
		fail(w, problemOf(err))
		return
	}
	s.answerAcks(w, acks)
}

// write writes the messages of a request to a topic.
func (s *Server) write(r *http.Request, held *reservation, topic string, messages []kafka.Message) ([]kafka.Ack, error) {
	if !held.grow(recordCost * int64(len(messages))) {
		return nil, errNoRoom
	}
	if wait := clientOf(r).wait(len(messages)); wait > 0 {
		return nil, problem{status: http.StatusTooManyRequests, after: wait, message: "The API key has sent more records than it may in a second, try again later."}
	}
	// A client that disconnects does not stop its records: they are written, and its next attempt
	// writes them again.
	acks, err := s.broker.Produce(context.WithoutCancel(r.Context()), topic, messages)
	if err == nil {
		s.metrics.produced(topic, messages, acks)
	}
	return acks, err
}

// admit validates the header of a request with a body of that type, and reserves memory for it.
func (s *Server) admit(r *http.Request, topic, wanted string) (*reservation, error) {
	if !s.serves(topic) {
		return nil, problemOf(kafka.ErrUnknownTopic)
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || media != wanted || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, problem{status: http.StatusUnsupportedMediaType, message: "HTTP 415 Unsupported Media Type: send " + wanted + "."}
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, problem{status: http.StatusUnsupportedMediaType, message: "HTTP 415 Unsupported Media Type: send the body without Content-Encoding."}
	}
	if r.ContentLength > s.limits.BodyBytes {
		return nil, s.tooLarge()
	}
	bytes := int64(firstBytes)
	if r.ContentLength >= 0 {
		bytes = min(bytes, r.ContentLength)
	}
	held := s.admission.enter(clientOf(r), bytes)
	if held == nil {
		return nil, errNoRoom
	}
	return held, nil
}

var errNoRoom = problem{status: http.StatusTooManyRequests, message: "Too many requests are under way, try again later."}

func (s *Server) tooLarge() error {
	return problem{status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("The body is larger than %d bytes: send fewer records at a time.", s.limits.BodyBytes)}
}

// answerAcks responds with the offset of each record, or with its error.
func (s *Server) answerAcks(w http.ResponseWriter, acks []kafka.Ack) {
	status, away, worst, body := http.StatusOK, 0, error(nil), []byte(`{"offsets":[`)
	for i, ack := range acks {
		if i > 0 {
			body = append(body, ',')
		}
		if ack.Err == nil {
			body = append(body, `{"partition":`...)
			body = strconv.AppendInt(body, int64(ack.Partition), 10)
			body = append(body, `,"offset":`...)
			body = strconv.AppendInt(body, ack.Offset, 10)
			body = append(body, `,"error_code":null,"error":null}`...)
			continue
		}
		code := recordCode(ack.Err)
		switch code {
		case codeKafkaRetriable:
			away++
			if worst == nil || errors.Is(ack.Err, kafka.ErrUnknownOutcome) {
				worst = ack.Err // one that is unknown makes the whole request unknown
			}
		case codeKafkaAuthentication:
			status = http.StatusUnauthorized
		case codeKafkaAuthorization:
			status = http.StatusForbidden
		}
		body = fmt.Appendf(body, `{"partition":null,"offset":null,"error_code":%d,"error":`, code)
		body, _ = jsontext.AppendQuote(body, ack.Err.Error()) // replaces invalid UTF-8
		body = append(body, '}')
	}
	if away == len(acks) {
		fail(w, problemOf(worst))
		return
	}
	body = append(body, `],"key_schema_id":null,"value_schema_id":null}`...)
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have disconnected
}
