// Package reference implements cleaning and answers a second time, in Go by the contract, for tests
// of the SQL notebooks: a mistake would have to be in both implementations.
package reference

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
	kafkago "github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/internal/run"
)

// Record is a Kafka record with its topic, partition and offset.
type Record struct {
	Kind      string // pin, geo or user: that of the topic, whatever the record is; or Post
	Date      string // logical date that it landed in
	Partition int
	Offset    int64
	Timestamp int64 // milliseconds
	Key       []byte
	Headers   []kafkago.Header
	Value     []byte // nil is a tombstone
	// File is the name of its object, for records that share a place with others.
	File string
}

// Post is the kind of records with the fields of all kinds.
const Post = run.Post

// UserID is the prefix of the topics.
const UserID = "u1"

// Topics are the topics of the records.
var Topics = run.Topics{UserID: UserID}

// Topic returns the topic of the record.
func (r Record) Topic() string { return Topics.Name(r.Kind) }

// kinds returns the kinds as which the record is cleaned.
func (r Record) kinds() []string {
	if r.Kind == run.Post {
		return []string{"pin", "geo", "user"}
	}
	return []string{r.Kind}
}

// element is a record to clean: the whole value, or an element of an array with an object.
type element struct {
	Record
	kind  string // as which it is cleaned
	index int
	// fields holds the fields of a JSON object without nulls; nil if the element is not an object.
	fields map[string]string
}

// later orders elements by date, then timestamp, offset, partition, element, topic and file: the
// last one counts.
func later(a, b element) int {
	return cmp.Or(strings.Compare(a.Date, b.Date), cmp.Compare(a.Timestamp, b.Timestamp), cmp.Compare(a.Offset, b.Offset),
		cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.index, b.index), strings.Compare(a.Topic(), b.Topic()), strings.Compare(a.File, b.File))
}

// elements unwraps a record, as each of its kinds.
func elements(r Record) []element {
	var all []element
	for _, kind := range r.kinds() {
		for _, e := range unwrapped(r) {
			e.kind = kind
			all = append(all, e)
		}
	}
	return all
}

func unwrapped(r Record) []element {
	value := jsontext.Value(bytes.Clone(r.Value))
	if !Strict(value) {
		return []element{{Record: r}}
	}
	items, holdsObject := array(value)
	if !holdsObject {
		return []element{{Record: r, fields: object(value)}}
	}
	var all []element
	for i, item := range items {
		all = append(all, element{Record: r, index: i, fields: object(item)})
	}
	return all
}

// maxDepth is the maximum nesting of a value that counts as JSON.
const maxDepth = 512

// Strict reports whether the value is JSON that every engine reads in the same way: RFC 8259 with
// the rules of I-JSON (no duplicate names, no lone surrogates, valid UTF-8, numbers within double),
// nested at most 512 deep, with at most 10,000,000 bytes, 1,000 for a number and 50,000 for a name.
func Strict(value []byte) bool {
	if len(value) > 10_000_000 {
		return false
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(value))
	for {
		isName := decoder.PeekKind() == '"' && inName(decoder)
		start := decoder.InputOffset()
		token, err := decoder.ReadToken()
		if errors.Is(err, io.EOF) {
			return decoder.InputOffset() > 0 && tops(value) == 1
		}
		if err != nil || decoder.StackDepth() > maxDepth {
			return false
		}
		if isName && len(bytes.TrimLeft(value[start:decoder.InputOffset()], ", \t\r\n")) > 50_000+len(`""`) {
			return false
		}
		if token.Kind() == '0' {
			if len(token.String()) > 1000 {
				return false
			}
			if f, err := strconv.ParseFloat(token.String(), 64); err != nil || math.IsInf(f, 0) {
				return false
			}
		}
	}
}

// inName reports whether the next string is a name.
func inName(decoder *jsontext.Decoder) bool {
	kind, length := decoder.StackIndex(decoder.StackDepth())
	return kind == '{' && length%2 == 0
}

// tops counts the top-level values.
func tops(value []byte) int {
	decoder := jsontext.NewDecoder(bytes.NewReader(value))
	for n := 0; ; n++ {
		if _, err := decoder.ReadValue(); err != nil {
			return n
		}
	}
}

// array returns the elements of a JSON array, and whether one of them is an object.
func array(value jsontext.Value) (items []jsontext.Value, holdsObject bool) {
	if value.Kind() != '[' {
		return nil, false
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(value))
	_, _ = decoder.ReadToken() // the value is known to be an array
	for decoder.PeekKind() != ']' {
		item, err := decoder.ReadValue()
		if err != nil {
			return nil, false
		}
		holdsObject = holdsObject || item.Kind() == '{'
		items = append(items, item.Clone())
	}
	return items, holdsObject
}

// object returns the fields of a JSON object as texts: the text of a string, and what was written
// for other values.
func object(value jsontext.Value) map[string]string {
	if value.Kind() != '{' {
		return nil
	}
	fields := map[string]string{}
	decoder := jsontext.NewDecoder(bytes.NewReader(value))
	_, _ = decoder.ReadToken() // the value is known to be an object
	for decoder.PeekKind() != '}' {
		name, err := decoder.ReadToken()
		if err != nil {
			return nil
		}
		key := name.String()
		field, err := decoder.ReadValue()
		if err != nil {
			return nil
		}
		switch field.Kind() {
		case 'n':
		case '"':
			text, err := jsontext.AppendUnquote(nil, field)
			if err != nil {
				return nil
			}
			fields[key] = string(text)
		default:
			fields[key] = string(field)
		}
	}
	return fields
}

// blank reports whether a text is only white space, including U+00A0.
func blank(text string) bool {
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }) == ""
}
