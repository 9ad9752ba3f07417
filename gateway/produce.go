package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// produce writes a request's records to a topic and answers with their places once all in-sync replicas have them.
// All that can be wrong with the request is found before the first record is sent.
func (s *Server) produce(w http.ResponseWriter, r *http.Request) {
	topic := r.PathValue("topic")
	held, err := s.admit(r, topic)
	if err != nil {
		fail(w, problemOf(err))
		return
	}
	defer held.leave()
	body, err := s.readBody(r)
	if err != nil {
		fail(w, problemOf(err))
		return
	}
	messages, err := parseRecords(body, s.limits)
	if err != nil {
		fail(w, problemOf(err))
		return
	}
	if !held.grow(recordCost * int64(len(messages))) {
		fail(w, errNoRoom)
		return
	}
	// A client that goes away does not stop its records half way: they are written, and its next try writes them again.
	acks, err := s.broker.Produce(context.WithoutCancel(r.Context()), topic, messages)
	if err != nil {
		fail(w, problemOf(err))
		return
	}
	s.metrics.produced(topic, messages, acks)
	s.answerAcks(w, acks)
}

// admit looks at all of the request but its body, and makes room for that.
func (s *Server) admit(r *http.Request, topic string) (*room, error) {
	if !strings.HasPrefix(topic, s.prefix) || topic == s.prefix {
		return nil, problemOf(kafka.ErrUnknownTopic)
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || media != versionedJSON || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, problem{status: http.StatusUnsupportedMediaType, message: "HTTP 415 Unsupported Media Type: send " + versionedJSON + "."}
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, problem{status: http.StatusUnsupportedMediaType, message: "HTTP 415 Unsupported Media Type: send the body without Content-Encoding."}
	}
	bytes := r.ContentLength
	if bytes < 0 { // not known yet: it may become as large as any
		bytes = s.limits.BodyBytes
	}
	if bytes > s.limits.BodyBytes {
		return nil, s.tooLarge()
	}
	held := s.admission.enter(bytes)
	if held == nil {
		return nil, errNoRoom
	}
	return held, nil
}

var errNoRoom = problem{status: http.StatusTooManyRequests, message: "Too many requests are under way, try again later."}

func (s *Server) tooLarge() error {
	return problem{status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("The body is larger than %d bytes: send fewer records at a time.", s.limits.BodyBytes)}
}

// readBody reads the body into memory that admit has accounted for.
func (s *Server) readBody(r *http.Request) ([]byte, error) {
	var body []byte
	var err error
	if r.ContentLength >= 0 {
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(io.LimitReader(r.Body, s.limits.BodyBytes+1))
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, problem{status: http.StatusRequestTimeout, message: "The body took too long to arrive."}
	case err != nil:
		return nil, problem{status: http.StatusBadRequest, message: "The body could not be read: " + err.Error()}
	case int64(len(body)) > s.limits.BodyBytes:
		return nil, s.tooLarge()
	}
	return body, nil
}

// answerAcks writes the places of the records, or the error of each that Kafka has not taken.
func (s *Server) answerAcks(w http.ResponseWriter, acks []kafka.Ack) {
	status, away, body := http.StatusOK, 0, []byte(`{"offsets":[`)
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
		case codeKafkaAuthentication:
			status = http.StatusUnauthorized
		case codeKafkaAuthorization:
			status = http.StatusForbidden
		}
		body = fmt.Appendf(body, `{"partition":null,"offset":null,"error_code":%d,"error":`, code)
		body, _ = jsontext.AppendQuote(body, ack.Err.Error()) // what is no UTF-8 is replaced
		body = append(body, '}')
	}
	if away == len(acks) {
		fail(w, problemOf(acks[0].Err))
		return
	}
	body = append(body, `],"key_schema_id":null,"value_schema_id":null}`...)
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone away is no concern of the server's
}
