package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// ignoredFields holds the fields of a produce request that only other formats than JSON use.
var ignoredFields = map[string]bool{"key_schema": true, "key_schema_id": true, "value_schema": true, "value_schema_id": true}

// recordParser reads a produce request: {"records":[{"key":…,"value":…,"partition":…}]}.
//
// Values go to Kafka byte for byte as in the body; only their grammar is checked. A parser could
// change large numbers, repeated names and lone surrogates. A null or missing value is a tombstone.
// A key that is a JSON string becomes the text of that string, as Kafka's own clients would send it
// (Confluent's proxy keeps the quotes); any other key becomes its JSON text.
type recordParser struct {
	body    []byte
	decoder *jsontext.Decoder
	limits  Limits
}

// parseRecords returns the messages of a produce request, which share the memory of the body, or a
// problem.
func parseRecords(body []byte, limits Limits) ([]kafka.Message, error) {
	if !utf8.Valid(body) {
		return nil, problem{status: http.StatusBadRequest, message: "The body is not UTF-8."}
	}
	p := recordParser{body: body, limits: limits, decoder: jsontext.NewDecoder(bytes.NewBuffer(body),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))} // accepts lone surrogates such as \ud800
	messages, err := p.request()
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, problem{status: http.StatusBadRequest, message: "The body is not JSON: " + err.Error()}
	}
	return messages, err
}

func wrongShape(format string, args ...any) error {
	return problem{status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
}

func unprocessable(format string, args ...any) error {
	return problem{status: http.StatusUnprocessableEntity, message: fmt.Sprintf(format, args...)}
}

var errNoRecords = unprocessable("records may not be empty")

// request reads the whole body.
func (p *recordParser) request() ([]kafka.Message, error) {
	switch p.decoder.PeekKind() {
	case '{':
	case 'n':
		return nil, errNoRecords
	default:
		if _, err := p.decoder.ReadToken(); errors.Is(err, io.EOF) {
			return nil, errNoRecords
		} else if err != nil {
			return nil, err
		}
		return nil, wrongShape(`The body is not a JSON object with "records".`)
	}
	var messages []kafka.Message
	err := p.object(func(name string) (err error) {
		switch {
		case name == "records":
			messages, err = p.records()
		case ignoredFields[name]:
			err = p.decoder.SkipValue()
		default:
			err = unprocessable("Unknown field: %s", name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := p.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, wrongShape("The body continues after the JSON object.")
	}
	if len(messages) == 0 {
		return nil, errNoRecords
	}
	return messages, nil
}

// object reads an object and calls member for the value of each name. It rejects repeated names,
// which are ambiguous.
func (p *recordParser) object(member func(name string) error) error {
	if _, err := p.decoder.ReadToken(); err != nil {
		return err
	}
	var seen [5]string // an object has five known names at most
	for n := 0; p.decoder.PeekKind() != '}'; n++ {
		token, err := p.decoder.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		for _, other := range seen[:min(n, len(seen))] {
			if name == other {
				return wrongShape("Field %s is there twice.", name)
			}
		}
		if n < len(seen) {
			seen[n] = name
		}
		if err := member(name); err != nil {
			return err
		}
	}
	_, err := p.decoder.ReadToken()
	return err
}

// records reads the array of records.
func (p *recordParser) records() ([]kafka.Message, error) {
	switch p.decoder.PeekKind() {
	case '[':
	case 'n':
		return nil, errNoRecords
	default:
		return nil, wrongShape("records is not an array.")
	}
	if _, err := p.decoder.ReadToken(); err != nil {
		return nil, err
	}
	var messages []kafka.Message
	for p.decoder.PeekKind() != ']' {
		if len(messages) == p.limits.Records {
			return nil, problem{status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("A request may have %d records.", p.limits.Records)}
		}
		message, err := p.record(len(messages))
		if err != nil {
			return nil, err
		}
		messages = append(messages, message)
	}
	_, err := p.decoder.ReadToken()
	return messages, err
}

// record reads the record at that index of the array.
func (p *recordParser) record(index int) (kafka.Message, error) {
	message := kafka.Message{Partition: kafka.AnyPartition}
	if kind := p.decoder.PeekKind(); kind != '{' {
		if err := p.decoder.SkipValue(); err != nil {
			return message, err
		}
		return message, wrongShape("records[%d] is not an object.", index)
	}
	err := p.object(func(name string) (err error) {
		switch name {
		case "key":
			message.Key, err = p.key()
		case "value":
			message.Value, err = p.value()
		case "partition":
			message.Partition, err = p.partition(index)
		default:
			err = unprocessable("Unknown field: %s", name)
		}
		return err
	})
	if size := len(message.Key) + len(message.Value); err == nil && size > p.limits.RecordBytes {
		return message, problem{status: http.StatusRequestEntityTooLarge,
			message: fmt.Sprintf("records[%d] has %d bytes, Kafka takes %d.", index, size, p.limits.RecordBytes)}
	}
	return message, err
}

// value reads a value and returns its bytes in the body; nil for null.
func (p *recordParser) value() ([]byte, error) {
	value, err := p.decoder.ReadValue()
	if err != nil || value.Kind() == 'n' {
		return nil, err
	}
	end := int(p.decoder.InputOffset())
	return p.body[end-len(value) : end : end], nil
}

func (p *recordParser) key() ([]byte, error) {
	key, err := p.value()
	if err != nil || key == nil || key[0] != '"' {
		return key, err
	}
	text, _ := jsontext.AppendUnquote([]byte{}, key) // the grammar is valid; a lone surrogate becomes U+FFFD
	return text, nil
}

func (p *recordParser) partition(index int) (int, error) {
	text, err := p.value()
	if err != nil || text == nil {
		return kafka.AnyPartition, err
	}
	partition, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil {
		return 0, wrongShape("records[%d].partition is not a number of a partition.", index)
	}
	if partition < 0 {
		return 0, unprocessable("records[%d].partition must be greater than or equal to 0", index)
	}
	return int(partition), nil
}
