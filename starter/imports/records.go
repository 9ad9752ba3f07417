package imports

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxWhole is the size up to which an object may be one record over several lines: landing reads
	// no larger record as JSON.
	maxWhole = 10_000_000
	// maxLine limits a record in an object of lines: twice what Kafka brokers are usually made to take.
	maxLine = 64 << 20
)

// errLine is the error of a line that is too long to be a record.
var errLine = fmt.Errorf("it has a line of more than %d bytes, which is no record of Kafka", maxLine)

// eachRecord calls take for each record of an object: the object as a whole if it is one JSON value,
// pretty-printed or not, and each of its lines otherwise. Lines that are empty are no records. The
// record is valid until take returns.
func eachRecord(content io.Reader, take func(record []byte) error) error {
	buffered := bufio.NewReader(content)
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(buffered)
		if err != nil {
			return fmt.Errorf("gzip: %w", err)
		}
		buffered = bufio.NewReader(unpacked)
	}
	start, err := io.ReadAll(io.LimitReader(buffered, maxWhole+1))
	if err != nil {
		return err
	}
	if len(start) <= maxWhole {
		if record := bytes.TrimRight(start, "\r\n"); len(record) > 0 && isOneValue(record) {
			return take(record)
		}
	}
	return eachLine(bufio.NewReaderSize(io.MultiReader(bytes.NewReader(start), buffered), 64<<10), take)
}

// isOneValue reports whether a text is one JSON value. The first line decides for most objects of
// several lines, so that they are not parsed as a whole.
func isOneValue(text []byte) bool {
	first, rest, several := bytes.Cut(text, []byte("\n"))
	if several && len(bytes.TrimSpace(rest)) > 0 && jsontext.Value(first).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return false
	}
	return jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

func eachLine(lines *bufio.Reader, take func(record []byte) error) error {
	var line []byte
	for {
		part, err := lines.ReadSlice('\n')
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			if len(line) > maxLine {
				return errLine
			}
			continue
		}
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return err
		}
		if record := bytes.TrimRight(line, "\r\n"); len(record) > 0 {
			if err := take(record); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
		line = line[:0]
	}
}
