package landing

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	kafkago "github.com/segmentio/kafka-go"
)

const (
	// maxNesting limits the nesting of arrays and objects in a value that lands as JSON; a deeper
	// value lands as text. Engines that read the line have limits from about a thousand.
	maxNesting = 512
	// safeDigits is the length up to which a number without exponent is within the range of a
	// double, 1.8e308.
	safeDigits = 308
)

// envelope writes the lines of one partition: a JSON object for each Kafka record, with the
// record's topic, partition, offset, time and key, then its value.
//
// Engines differ in how strictly they read JSON, so the value is checked here. It lands as `value`,
// compacted to one line, if it is an object or array in strict JSON: RFC 8259 and I-JSON (RFC 7493:
// no duplicate names, no lone surrogates, valid UTF-8, numbers within a double), nested at most
// maxNesting deep. Anything else lands as the string `text`. An array with an object among its
// direct elements also has `elements`: the compact text of each element.
type envelope struct {
	prefix  []byte
	compact []byte // reused from record to record
}

func newEnvelope(topic string, partition int) *envelope {
	prefix := quote([]byte(`{"topic":`), []byte(topic))
	prefix = append(prefix, `,"partition":`...)
	prefix = strconv.AppendInt(prefix, int64(partition), 10)
	return &envelope{prefix: append(prefix, `,"offset":`...)}
}

// append appends the line of a record. It ends with its only newline.
func (e *envelope) append(line []byte, record kafkago.Message) []byte {
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
	line = e.appendValue(line, record.Value)
	return append(line, '}', '\n')
}

func (e *envelope) appendValue(line, value []byte) []byte {
	if isContainer(value) {
		compact, err := jsontext.AppendFormat(e.compact[:0], value, jsontext.PreserveRawStrings(true))
		e.compact = compact
		if err == nil {
			if shape, ok := measure(compact); ok {
				line = append(line, `,"value":`...)
				line = append(line, compact...)
				if shape == arrayOfObjects {
					line = appendElements(line, compact)
				}
				return line
			}
		}
	}
	line = append(line, `,"text":`...)
	return quote(line, value)
}

// isContainer reports whether the value can be an object or array, by its first character.
func isContainer(value []byte) bool {
	for _, c := range value {
		switch c {
		case ' ', '\t', '\n', '\r':
		default:
			return c == '{' || c == '['
		}
	}
	return false
}

// quote appends text as a JSON string. Bytes that are not UTF-8 become U+FFFD; the error of
// jsontext only reports that.
func quote(dst, text []byte) []byte {
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}

// shape is what measure finds out about a value.
type shape int

const (
	plain          shape = iota
	arrayOfObjects       // an array with an object among its direct elements
)

// measure returns the shape of compact, well-formed JSON. ok is false if it is nested too deep or
// has a number that a double cannot hold.
func measure(compact []byte) (found shape, ok bool) {
	depth := 0
	for i := 0; i < len(compact); {
		switch c := compact[i]; {
		case c == '"':
			i = stringEnd(compact, i)
		case c == '{' || c == '[':
			if c == '{' && depth == 1 && compact[0] == '[' {
				found = arrayOfObjects
			}
			if depth++; depth > maxNesting {
				return plain, false
			}
			i++
		case c == '}' || c == ']':
			depth--
			i++
		case c == '-' || c >= '0' && c <= '9':
			end := numberEnd(compact, i)
			if !withinDouble(compact[i:end]) {
				return plain, false
			}
			i = end
		default:
			i++
		}
	}
	return found, true
}

// stringEnd returns the index after the string that begins at start.
func stringEnd(text []byte, start int) int {
	for i := start + 1; ; {
		i += bytes.IndexByte(text[i:], '"')
		backslashes := 0
		for text[i-1-backslashes] == '\\' {
			backslashes++
		}
		i++
		if backslashes%2 == 0 {
			return i
		}
	}
}

func numberEnd(text []byte, start int) int {
	for i := start; i < len(text); i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
		default:
			return i
		}
	}
	return len(text)
}

func withinDouble(number []byte) bool {
	if len(number) <= safeDigits && !bytes.ContainsAny(number, "eE") {
		return true
	}
	_, err := strconv.ParseFloat(string(number), 64)
	return !errors.Is(err, strconv.ErrRange)
}

// appendElements appends the elements of a compact array as an array of strings.
func appendElements(line, array []byte) []byte {
	line = append(line, `,"elements":[`...)
	start, depth := 1, 0
	for i := 1; i < len(array); {
		switch c := array[i]; {
		case c == '"':
			i = stringEnd(array, i)
			continue
		case c == '{' || c == '[':
			depth++
		case c == ',' && depth == 0:
			line = append(quote(line, array[start:i]), ',')
			start = i + 1
		case c == '}' || c == ']':
			depth--
		}
		i++
	}
	line = quote(line, array[start:len(array)-1])
	return append(line, ']')
}
