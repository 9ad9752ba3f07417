package envelope

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits within which all engines read JSON. Those of Spark and Databricks are Jackson's:
// https://github.com/FasterXML/jackson-core/wiki/StreamReadConstraints
const (
	// maxJSON is in bytes: `elements` can be twice as long, see maxText.
	maxJSON = maxText / 2
	// maxNesting is the depth of arrays and objects. Jackson's limit is 1,000, and was 500 for a while.
	maxNesting = 512
	// maxNumber is the length of a number.
	maxNumber = 1000
	// maxName is the length of a name, in bytes.
	maxName = 50_000
	// safeDigits is the length up to which a number without exponent is within the range of a
	// double, 1.8e308.
	safeDigits = 308
)

// verdict is how a record lands.
type verdict int

const (
	notJSON       verdict = iota // as text
	plain                        // as value, which engines parse as it is
	needsElements                // as value, and they parse the elements instead
)

// judge reports whether a record is an object or array that every engine reads alike: strict JSON,
// as in RFC 8259 and I-JSON (RFC 7493: no duplicate names, no lone surrogates, valid UTF-8, numbers
// within a double), within the limits above.
func judge(value []byte) verdict {
	start := skipSpace(value, 0)
	if start == len(value) || value[start] != '{' && value[start] != '[' || len(value) > maxJSON || !jsontext.Value(value).IsValid() {
		return notJSON
	}
	s := scan{text: value, array: value[start] == '['}
	if !s.run() {
		return notJSON
	}
	if s.different || s.array && s.objects {
		return needsElements
	}
	return plain
}

// scan looks at the tokens of well-formed JSON.
type scan struct {
	text  []byte
	array bool // whether the text is an array
	depth int
	// record is the depth of the fields of the record that is open; 0 is none. Records are the
	// object itself, or the objects directly in the array.
	record    int
	objects   bool // whether there are records
	different bool // whether engines spell a field of a record differently
}

// run reports whether the text is within the limits.
func (s *scan) run() bool {
	for i := 0; i < len(s.text); {
		switch c := s.text[i]; {
		case c == '"':
			end := stringEnd(s.text, i)
			if end-i-2 > maxName && s.text[skipSpace(s.text, end)] == ':' {
				return false
			}
			i = end
		case c == '{' || c == '[':
			if !s.open(c) {
				return false
			}
			i++
		case c == '}' || c == ']':
			if s.record == s.depth {
				s.record = 0
			}
			s.depth--
			i++
		case c == '-' || c >= '0' && c <= '9':
			end := numberEnd(s.text, i)
			if number := s.text[i:end]; len(number) > maxNumber || !withinDouble(number) {
				return false
			} else if s.record == s.depth && !alike(number) {
				s.different = true
			}
			i = end
		default:
			i++
		}
	}
	return true
}

// open enters an object or array, and reports whether it may be that deep.
func (s *scan) open(c byte) bool {
	if s.record > 0 && s.record == s.depth {
		s.different = true
	}
	s.depth++
	if c == '{' && (s.depth == 1 || s.depth == 2 && s.array) {
		s.record, s.objects = s.depth, true
	}
	return s.depth <= maxNesting
}

// appendAlike appends an object, with each field that engines spell differently as a string.
func appendAlike(dst, object []byte) []byte {
	copied := 0
	for i := skipSpace(object, 1); object[i] != '}'; {
		start := skipSpace(object, stringEnd(object, i))
		start = skipSpace(object, start+1) // after the colon
		end := valueEnd(object, start)
		if c := object[start]; c == '{' || c == '[' || (c == '-' || c >= '0' && c <= '9') && !alike(object[start:end]) {
			dst = append(dst, object[copied:start]...)
			dst = quote(dst, object[start:end])
			copied = end
		}
		if i = skipSpace(object, end); object[i] == ',' {
			i = skipSpace(object, i+1)
		}
	}
	return append(dst, object[copied:]...)
}

// alike reports whether engines that read a number as text spell it as it was written. They all do
// that for integers within 64 bits, but not -0, and for decimals with up to 15 digits that no engine
// writes with an exponent (Java does outside of 0.001 to 10,000,000), without a zero at the end.
func alike(number []byte) bool {
	digits := bytes.TrimPrefix(number, []byte("-"))
	whole, fraction, decimal := bytes.Cut(digits, []byte("."))
	if !decimal {
		return len(whole) <= 18 && !bytes.ContainsAny(whole, "eE") && (len(digits) == len(number) || whole[0] != '0')
	}
	if bytes.ContainsAny(fraction, "eE") || fraction[len(fraction)-1] == '0' || len(whole)+len(fraction) > 15 || len(whole) > 7 {
		return false
	}
	return whole[0] != '0' || !bytes.HasPrefix(fraction, []byte("000"))
}

func withinDouble(number []byte) bool {
	if len(number) <= safeDigits && !bytes.ContainsAny(number, "eE") {
		return true
	}
	_, err := strconv.ParseFloat(string(number), 64)
	return !errors.Is(err, strconv.ErrRange)
}

// skipSpace returns the index of the first character at or after i that is no white space.
func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

// valueEnd returns the index after the value that begins at start.
func valueEnd(text []byte, start int) int {
	depth := 0
	for i := start; ; {
		switch c := text[i]; c {
		case '"':
			i = stringEnd(text, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		default:
			if depth > 0 {
				i++
				break
			}
			for !strings.ContainsRune(" \t\r\n,]}", rune(text[i])) { // a number or a literal
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
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
