package posts

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
)

// jsonLines is the source of records in files.
type jsonLines struct {
	dir         string
	fingerprint string
	posts       int
}

// OpenJSONLines returns the lines of dir/pin.jsonl, dir/geo.jsonl and dir/user.jsonl unchanged and
// in order. A line that is not JSON becomes a JSON string; empty lines are left out. The n-th lines
// of the files are the n-th post.
func OpenJSONLines(dir string) (Source, error) {
	s := &jsonLines{dir: dir}
	hash := sha256.New()
	for _, kind := range Kinds {
		lines := 0
		sum := sha256.New()
		err := s.read(kind, sum, func(_ int, text []byte) error {
			if len(text) > 0 {
				lines++
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		s.posts = max(s.posts, lines)
		fmt.Fprintf(hash, "%s %x\n", kind, sum.Sum(nil))
	}
	if s.posts == 0 {
		return nil, fmt.Errorf("%s: the files are empty; there is nothing to post", dir)
	}
	s.fingerprint = "jsonl-" + hex.EncodeToString(hash.Sum(nil))
	return s, nil
}

func (s *jsonLines) Name() string        { return "JSON lines in " + s.dir }
func (s *jsonLines) Fingerprint() string { return s.fingerprint }
func (s *jsonLines) Posts() int          { return s.posts }

// errStop stops reading early.
var errStop = errors.New("stop")

func (s *jsonLines) Lines(ctx context.Context, kind string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		post := 0
		err := s.read(kind, io.Discard, func(number int, text []byte) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if len(text) == 0 {
				return nil
			}
			line := Line{Kind: kind, Post: post, Value: valueOf(text), Origin: fmt.Sprintf("%s line %d", s.file(kind), number)}
			line.Key, line.Alone = keyOf(kind, line.Value)
			post++
			if !yield(line, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(Line{}, err)
		}
	}
}

func (s *jsonLines) file(kind string) string { return filepath.Join(s.dir, kind+".jsonl") }

// read calls line for each line of a file, without its newline, and copies the file to w. Lines can
// have any length.
func (s *jsonLines) read(kind string, w io.Writer, line func(number int, text []byte) error) error {
	file, err := os.Open(s.file(kind))
	if err != nil {
		return fmt.Errorf("posts are read from pin.jsonl, geo.jsonl and user.jsonl: %w", err)
	}
	defer file.Close()
	reader := bufio.NewReaderSize(io.TeeReader(file, w), 1<<20)
	for number := 1; ; number++ {
		text, err := reader.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s line %d: %w", s.file(kind), number, err)
		}
		last := err != nil
		if last && len(text) == 0 {
			return nil
		}
		text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
		if err := line(number, text); err != nil || last {
			return err
		}
	}
}
