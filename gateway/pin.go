package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// plainJSON is the type of a post, and of its response.
const plainJSON = "application/json"

// keyFields holds the fields of a post that tell it from others, the best first. Its key is the value
// of the first that it has: Kafka keeps the order of records with the same key.
var keyFields = []string{"index", "ind", "unique_id"}

// pin writes one post, an object with the fields of its pin, geo and user record, to the topic of
// posts, and responds with the post once all in-sync replicas have it.
func (s *Server) pin(w http.ResponseWriter, r *http.Request) {
	held, err := s.admit(r, s.posts, plainJSON)
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
	message, err := parsePost(body, s.limits)
	if err != nil {
		fail(w, problemOf(err))
		return
	}
	acks, err := s.write(r, held, s.posts, []kafka.Message{message})
	if err == nil {
		err = acks[0].Err
	}
	if err != nil {
		fail(w, problemOf(err))
		return
	}
	w.Header().Set("Content-Type", plainJSON)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(message.Value) // the client may have disconnected
}

// parsePost returns the message of a post, which shares the memory of the body, or a problem.
func parsePost(body []byte, limits Limits) (kafka.Message, error) {
	message := kafka.Message{Partition: kafka.AnyPartition, Value: bytes.TrimSpace(body)}
	if !utf8.Valid(body) {
		return message, wrongShape("The body is not UTF-8.")
	}
	decoder := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if kind := decoder.PeekKind(); kind != '{' && kind != 0 {
		return message, unprocessable("The body is not a JSON object with the fields of a post.")
	}
	keys, err := readKeyFields(decoder)
	if err == nil {
		if _, err = decoder.ReadToken(); err == nil {
			err = errors.New("it continues after the JSON object")
		}
	}
	if !errors.Is(err, io.EOF) || len(message.Value) == 0 {
		return message, wrongShape("The body is not JSON: %v", err)
	}
	for _, name := range keyFields {
		if key := keys[name]; key != nil && message.Key == nil {
			message.Key = key
		}
	}
	if message.Key == nil {
		return message, unprocessable("A post needs the field index, ind or unique_id, with a number or a text.")
	}
	if size := len(message.Key) + len(message.Value); size > limits.RecordBytes {
		return message, problem{status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("The post has %d bytes, Kafka takes %d.", size, limits.RecordBytes)}
	}
	return message, nil
}

// readKeyFields reads an object and returns its key fields that are numbers or texts.
func readKeyFields(decoder *jsontext.Decoder) (keys map[string][]byte, err error) {
	keys = map[string][]byte{}
	if _, err := decoder.ReadToken(); err != nil {
		return nil, unexpected(err)
	}
	for decoder.PeekKind() != '}' {
		token, err := decoder.ReadToken()
		if err != nil {
			return nil, unexpected(err)
		}
		name := token.String()
		wanted := slices.Contains(keyFields, name)
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, unexpected(err)
		}
		switch kind := value.Kind(); {
		case wanted && kind == '0':
			keys[name] = bytes.Clone(value)
		case wanted && kind == '"':
			keys[name], _ = jsontext.AppendUnquote([]byte{}, value) // the grammar is valid
		}
	}
	_, err = decoder.ReadToken()
	return keys, unexpected(err)
}

// unexpected makes the end of the body an error.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
