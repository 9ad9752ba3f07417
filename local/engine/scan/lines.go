package scan

import (
	"bytes"
	"errors"
	"io"
)

// lines reads the lines of an object. As on Spark and Databricks, a line ends with \n, \r\n or \r.
type lines struct {
	content io.Reader
	buffer  []byte
	window  []byte // what is read and not returned yet, in buffer
	ended   bool   // content has nothing more
}

// bufferSize is the length of the buffer, unless a line is longer.
const bufferSize = 256 << 10

func (l *lines) reset(content io.Reader) {
	if l.buffer == nil {
		l.buffer = make([]byte, bufferSize)
	}
	l.content, l.window, l.ended = content, l.buffer[:0], false
}

// next returns the next line, which is valid until the next call; io.EOF comes after the last one.
func (l *lines) next() ([]byte, error) {
	for searched := 0; ; {
		if end := bytes.IndexByte(l.window[searched:], '\n'); end >= 0 {
			return l.cut(searched+end, 1), nil
		}
		if l.ended {
			if len(l.window) == 0 {
				return nil, io.EOF
			}
			return l.cut(len(l.window), 0), nil
		}
		searched = len(l.window)
		if err := l.fill(); err != nil {
			return nil, err
		}
	}
}

// cut returns the line that ends at the index, or at a \r before it. skip is the length of the
// newline at the index.
func (l *lines) cut(end, skip int) []byte {
	line := l.window[:end]
	next := end + skip
	if i := bytes.IndexByte(line, '\r'); i >= 0 {
		line = line[:i]
		if i+1 < end {
			next = i + 1
		}
	}
	l.window = l.window[next:]
	return line
}

// fill reads more, after the window.
func (l *lines) fill() error {
	if len(l.window) == len(l.buffer) {
		l.buffer = append(l.buffer, make([]byte, len(l.buffer))...)
	}
	kept := copy(l.buffer, l.window)
	n, err := l.content.Read(l.buffer[kept:])
	l.window = l.buffer[:kept+n]
	if errors.Is(err, io.EOF) {
		l.ended, err = true, nil
	}
	return err
}
