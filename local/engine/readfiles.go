package engine

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/duckdb/duckdb-go/v2"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/local/objectstore"
)

// readAhead is how many objects are fetched at a time. It limits the memory: an object has at most
// some megabytes.
const readAhead = 4

func readTable(n int) string { return fmt.Sprintf("temp.main._read_files_%d", n) }

// readFiles creates a temporary table of the objects that the pattern matches, with a row for each
// line, or for each object with wholeText. The relation that it returns has Databricks' columns
// value and _metadata. As on Databricks, no match is an error.
func (s *session) readFiles(ctx context.Context, pattern string, wholeText bool) (string, error) {
	if s.engine.objects == nil {
		return "", errors.New("read_files: this engine has no object store")
	}
	objects, err := objectstore.Find(ctx, s.engine.objects, pattern)
	if err != nil {
		return "", fmt.Errorf("read_files %s: %w", pattern, err)
	}
	if len(objects) == 0 {
		return "", fmt.Errorf("[PATH_NOT_FOUND] path does not exist: %s", pattern)
	}
	s.reads++
	table := readTable(s.reads)
	if _, err := s.conn.ExecContext(ctx, "CREATE TEMP TABLE "+table[len("temp.main."):]+" (value VARCHAR, file_path VARCHAR, file_name VARCHAR, file_size BIGINT, modified TIMESTAMP)"); err != nil {
		return "", err
	}
	if err := s.conn.Raw(func(conn any) error { return s.fill(ctx, conn.(driver.Conn), objects, wholeText) }); err != nil {
		return "", err
	}
	return "(SELECT value, struct_pack(file_path := file_path, file_name := file_name, file_size := file_size, file_modification_time := modified) AS _metadata FROM " + table + ")", nil
}

// fill fetches the objects in parallel and appends them in order.
func (s *session) fill(ctx context.Context, conn driver.Conn, objects []objectstore.Object, wholeText bool) error {
	appender, err := duckdb.NewAppender(conn, "temp", "main", fmt.Sprintf("_read_files_%d", s.reads))
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	ahead := make(chan struct{}, readAhead) // objects fetched and not appended yet
	contents := make([]chan []byte, len(objects))
	for i := range contents {
		contents[i] = make(chan []byte, 1)
	}
	group.Go(func() error {
		for i, object := range objects {
			select {
			case content := <-contents[i]:
				if err := appendObject(appender, object, content, wholeText); err != nil {
					return err
				}
				<-ahead
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
fetching:
	for i, object := range objects {
		select {
		case ahead <- struct{}{}:
		case <-ctx.Done():
			break fetching
		}
		group.Go(func() error {
			content, err := s.content(ctx, object.URI)
			if err != nil {
				return fmt.Errorf("read %s: %w", object.URI, err)
			}
			contents[i] <- content
			return nil
		})
	}
	return errors.Join(group.Wait(), appender.Close())
}

// content returns the content of an object.
func (s *session) content(ctx context.Context, uri string) ([]byte, error) {
	content, err := s.engine.objects.Open(ctx, uri)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(content)
}

func appendObject(appender *duckdb.Appender, object objectstore.Object, content []byte, wholeText bool) error {
	name := object.URI[bytes.LastIndexByte([]byte(object.URI), '/')+1:]
	add := func(value []byte) error {
		return appender.AppendRow(validUTF8(value), object.URI, name, object.Size, object.Modified.UTC())
	}
	if wholeText {
		return add(content)
	}
	for len(content) > 0 {
		line, rest := cutLine(content)
		if err := add(line); err != nil {
			return err
		}
		content = rest
	}
	return nil
}

// cutLine splits after the first line. As on Spark and Databricks, a line ends with \n, \r\n or \r.
func cutLine(content []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(content, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if end := bytes.IndexByte(line, '\r'); end >= 0 {
		return line[:end], content[end+1:]
	}
	return line, rest
}

// validUTF8 replaces invalid UTF-8 by U+FFFD, as Databricks does; DuckDB would reject the file.
func validUTF8(value []byte) string {
	if utf8.Valid(value) {
		return string(value)
	}
	return string(bytes.ToValidUTF8(value, []byte("\uFFFD")))
}
