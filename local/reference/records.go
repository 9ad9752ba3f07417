// Package reference is a second implementation of cleaning and answers, in plain Go from the contract, apart from the SQL of the notebooks.
// Only tests use it: where both agree, a mistake would have to be in both.
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
)

// Record is one Kafka record with its place.
type Record struct {
	Kind      string // pin, geo or user: of the topic, whatever the record is
	Date      string // logical date that it landed in
	Partition int
	Offset    int64
	Timestamp int64 // milliseconds
	Value     []byte
}

// element is one record to be judged: the whole value, or an element of an array that holds an object.
type element struct {
	Record
	index int
	// fields are those of a JSON object; nil if the element is anything else. A field that is null is absent.
	fields map[string]string
}

// later orders elements by which stands: the later date, then timestamp, offset, partition, element.
func later(a, b element) int {
	return cmp.Or(strings.Compare(a.Date, b.Date), cmp.Compare(a.Timestamp, b.Timestamp), cmp.Compare(a.Offset, b.Offset),
		cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.index, b.index))
}

// elements unwraps a record.
func elements(r Record) []element {
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

// maxDepth is how deep a value may be nested to count as JSON.
const maxDepth = 512

// Strict says whether the value is JSON that every engine reads alike: RFC 8259 with I-JSON's rules (no duplicate names, no lone
// surrogates, valid UTF-8, numbers within double), at most 512 deep.
func Strict(value []byte) bool {
	decoder := jsontext.NewDecoder(bytes.NewReader(value))
	for {
		token, err := decoder.ReadToken()
		if errors.Is(err, io.EOF) {
			return decoder.InputOffset() > 0 && tops(value) == 1
		}
		if err != nil || decoder.StackDepth() > maxDepth {
			return false
		}
		if token.Kind() == '0' {
			if f, err := strconv.ParseFloat(token.String(), 64); err != nil || math.IsInf(f, 0) {
				return false
			}
		}
	}
}

// tops counts the values that stand one after the other.
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

// object returns the fields of a JSON object as texts: a string's text, anything else as its compact JSON.
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
			compact := field.Clone()
			if err := compact.Compact(); err != nil {
				return nil
			}
			fields[key] = compact.String()
		}
	}
	return fields
}

// blank says that a text has no character but white space; U+00A0 counts as such.
func blank(text string) bool {
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }) == ""
}
