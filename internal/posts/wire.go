package posts

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// lenient accepts all JSON by RFC 8259, like the gateway, including repeated names and lone
// surrogates.
func lenient(text []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// A produce request nests a value in an object, an array and an object; so do these.
var envelopeOpen, envelopeClose = []byte("[[["), []byte("]]]")

// valueOf returns the text if it is a JSON value, otherwise as a JSON string, with U+FFFD for
// invalid UTF-8.
func valueOf(text []byte) json.RawMessage {
	if value, ok := oneValue(text); ok {
		return value
	}
	quoted, _ := jsontext.AppendQuote(nil, text) // the error only reports that invalid UTF-8 was replaced
	return quoted
}

// oneValue returns the text without the white space around it if it is one JSON value that fits
// into a produce request.
func oneValue(text []byte) (json.RawMessage, bool) {
	if !utf8.Valid(text) || !isOneValue(text) {
		return nil, false
	}
	// A decoder has a limit of nesting. Only a text with that many brackets can be within it alone
	// and beyond it in a request.
	if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 9_000 &&
		!isOneValue(bytes.Join([][]byte{envelopeOpen, text, envelopeClose}, nil)) {
		return nil, false
	}
	return bytes.Trim(text, " \t\r\n"), true
}

func isOneValue(text []byte) bool {
	decoder := lenient(text)
	if err := decoder.SkipValue(); err != nil {
		return false
	}
	_, err := decoder.ReadToken()
	return errors.Is(err, io.EOF)
}

// indexNames holds the names of the index in records of a kind. The second one is for records in
// the wrong topic.
func indexNames(kind string) [2]string {
	if kind == "pin" {
		return [2]string{"index", "ind"}
	}
	return [2]string{"ind", "index"}
}

// keyOf returns the index in a value, which is an object or an array of objects, and whether it
// holds several posts.
func keyOf(kind string, value json.RawMessage) (key string, several bool) {
	decoder := lenient(value)
	switch decoder.PeekKind() {
	case '{':
		return objectKey(kind, decoder), false
	case '[':
	default:
		return "", false
	}
	if _, err := decoder.ReadToken(); err != nil {
		return "", false
	}
	for {
		switch decoder.PeekKind() {
		case '{':
			switch other := objectKey(kind, decoder); {
			case key == "":
				key = other
			case other != "" && other != key:
				several = true
			}
		case ']', jsontext.KindInvalid:
			return key, several
		default:
			if decoder.SkipValue() != nil {
				return key, several
			}
		}
	}
}

// objectKey reads an object and returns its index.
func objectKey(kind string, decoder *jsontext.Decoder) string {
	names := indexNames(kind)
	var found [2]string
	if _, err := decoder.ReadToken(); err != nil {
		return ""
	}
	for decoder.PeekKind() != '}' {
		token, err := decoder.ReadToken()
		if err != nil {
			return ""
		}
		name := token.String()
		value, err := decoder.ReadValue()
		if err != nil {
			return ""
		}
		for i := range names {
			if name == names[i] {
				found[i] = canonicalIndex(value)
			}
		}
	}
	if _, err := decoder.ReadToken(); err != nil {
		return ""
	}
	if found[0] != "" {
		return found[0]
	}
	return found[1]
}

// canonicalIndex normalizes an index: 7, "7" and "007" are the same post and need the same key. An
// index that is not a number is unchanged; null and "" are none.
func canonicalIndex(value jsontext.Value) string {
	text := string(value)
	switch value.Kind() {
	case '"':
		unquoted, _ := jsontext.AppendUnquote(nil, value) // invalid Unicode is replaced
		text = string(unquoted)
	case 'n':
		return ""
	}
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return text
	}
	if text = strings.TrimLeft(text, "0"); text == "" {
		return "0"
	}
	return text
}
