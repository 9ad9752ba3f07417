// Package envelope writes the lines of landed objects: a JSON object for each Kafka record. It
// decides once, in Go, which records are JSON, because engines differ in how strictly they read it.
package envelope

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	kafkago "github.com/segmentio/kafka-go"
)

// maxText is the length, in bytes, of the longest string in a line. Jackson, with which Spark reads
// JSON, refuses strings of more than 20,000,000 characters, and with them the whole line.
// https://github.com/FasterXML/jackson-core/wiki/StreamReadConstraints
const maxText = 20_000_000

// Envelope writes the lines of one partition. A line has the record's topic, partition, offset,
// time in milliseconds, key and headers, then its text: as `value` if every engine reads it alike as
// a JSON object or array (see judge), otherwise as `text`, which is never parsed. Both are strings,
// so that no engine spells the text in its own way. A tombstone, a record without a value, has null
// as `text`, and its line ends with `,"text":null}`; a record whose value is empty has "".
//
// `headers` are there if the record has some, in their order. A header has a `key`, and a `value`
// that is null or a string; a value that is not UTF-8 is in `base64` instead, with padding.
//
// `elements` are the texts to parse, if they are not the value itself: the elements of an array with
// an object among them, and objects of which a field would be spelled differently by the engines.
// In these objects, such a field is the string of what was written.
type Envelope struct {
	prefix []byte
}

// New returns the envelope for the records of a partition.
func New(topic string, partition int) *Envelope {
	prefix := quote([]byte(`{"topic":`), []byte(topic))
	prefix = append(prefix, `,"partition":`...)
	prefix = strconv.AppendInt(prefix, int64(partition), 10)
	return &Envelope{prefix: append(prefix, `,"offset":`...)}
}

// Append appends the line of a record. It ends with its only newline. Topic and partition of the
// record do not count.
func (e *Envelope) Append(line []byte, record kafkago.Message) []byte {
	line = append(line, e.prefix...)
	line = strconv.AppendInt(line, record.Offset, 10)
	line = append(line, `,"timestamp":`...)
	line = strconv.AppendInt(line, record.Time.UnixMilli(), 10)
	line = append(line, `,"key":`...)
	if record.Key == nil {
		line = append(line, `null`...)
	} else {
		line = quote(line, record.Key)
	}
	line = appendHeaders(line, record.Headers)
	line = appendValue(line, record.Value)
	return append(line, '}', '\n')
}

func appendHeaders(line []byte, headers []kafkago.Header) []byte {
	for i, header := range headers {
		opening := `,{"key":`
		if i == 0 {
			opening = `,"headers":[{"key":`
		}
		key, _ := cut([]byte(header.Key), maxText)
		line = quote(append(line, opening...), key)
		switch {
		case header.Value == nil:
			line = append(line, `,"value":null`...)
		case utf8.Valid(header.Value):
			line = appendParts(line, "value", header.Value)
		default:
			line = appendParts(line, "base64", base64.StdEncoding.AppendEncode(nil, header.Value))
		}
		line = append(line, '}')
	}
	if len(headers) > 0 {
		line = append(line, ']')
	}
	return line
}

func appendValue(line, value []byte) []byte {
	if value == nil {
		return append(line, `,"text":null`...)
	}
	found := judge(value)
	if found == notJSON {
		return appendParts(line, "text", value)
	}
	line = quoteJSON(append(line, `,"value":`...), value)
	if found == needsElements {
		line = appendElements(line, value)
	}
	return line
}

// appendParts appends a text under a name and, if it is longer than a string may be, the rest as the
// strings of `more`.
func appendParts(line []byte, name string, text []byte) []byte {
	first, rest := cut(text, maxText)
	line = append(append(append(line, `,"`...), name...), `":`...)
	line = quote(line, first)
	for opening := `,"more":[`; len(rest) > 0; opening = "," {
		first, rest = cut(rest, maxText)
		line = quote(append(line, opening...), first)
	}
	if len(first) < len(text) {
		line = append(line, ']')
	}
	return line
}

// cut splits text after at most length bytes, between two characters.
func cut(text []byte, length int) (first, rest []byte) {
	if len(text) <= length {
		return text, nil
	}
	for back := range utf8.UTFMax {
		if utf8.RuneStart(text[length-back]) {
			return text[:length-back], text[length-back:]
		}
	}
	return text[:length], text[length:] // not UTF-8
}

// appendElements appends the texts to parse: of the elements of an array, or of the one object.
func appendElements(line, value []byte) []byte {
	line = append(line, `,"elements":[`...)
	var buffer []byte
	add := func(element []byte) {
		if element[0] == '{' {
			buffer = appendAlike(buffer[:0], element)
			element = buffer
		}
		line = append(quote(line, element), ',')
	}
	if start := skipSpace(value, 0); value[start] == '{' {
		add(value[start:valueEnd(value, start)])
	} else {
		for i := skipSpace(value, start+1); value[i] != ']'; {
			end := valueEnd(value, i)
			add(value[i:end])
			if i = skipSpace(value, end); value[i] == ',' {
				i = skipSpace(value, i+1)
			}
		}
	}
	line[len(line)-1] = ']'
	return line
}

// quoteJSON appends well-formed JSON as a JSON string. Most records need no escapes but those of
// quotes, which takes a third of the time of quote.
func quoteJSON(dst, value []byte) []byte {
	for _, other := range []byte("\\\n\r\t") {
		if bytes.IndexByte(value, other) >= 0 {
			return quote(dst, value)
		}
	}
	dst = append(dst, '"')
	for {
		end := bytes.IndexByte(value, '"')
		if end < 0 {
			return append(append(dst, value...), '"')
		}
		dst = append(append(dst, value[:end]...), '\\', '"')
		value = value[end+1:]
	}
}

// quote appends text as a JSON string. Bytes that are not UTF-8 become U+FFFD; the error of
// jsontext only reports that.
func quote(dst, text []byte) []byte {
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}
