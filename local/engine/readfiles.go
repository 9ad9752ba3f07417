package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/pinflow/pinflow/local/engine/scan"
	"github.com/pinflow/pinflow/local/objectstore"
)

// readFiles returns a relation of the objects that the pattern matches, with a row for each line, or
// for each object with wholeText. The statement that reads it must end with endReads.
func (s *session) readFiles(ctx context.Context, pattern string, wholeText bool) (string, error) {
	objects, err := s.find(ctx, pattern)
	if err != nil {
		return "", err
	}
	return s.open(ctx, objects, wholeText), nil
}

// find returns the objects that the pattern matches. As on Databricks, no match is an error.
func (s *session) find(ctx context.Context, pattern string) ([]objectstore.Object, error) {
	if s.engine.objects == nil {
		return nil, errors.New("read_files: this engine has no object store")
	}
	objects, err := objectstore.Find(ctx, s.engine.objects, pattern)
	if err != nil {
		return nil, fmt.Errorf("read_files %s: %w", pattern, err)
	}
	if len(objects) == 0 {
		return nil, fmt.Errorf("[PATH_NOT_FOUND] path does not exist: %s", pattern)
	}
	return objects, nil
}

// open returns a relation of objects, until endReads.
func (s *session) open(ctx context.Context, objects []objectstore.Object, wholeText bool) string {
	relation, done := s.engine.scans.Open(ctx, scan.Objects{Store: s.engine.objects, List: objects, Whole: wholeText})
	s.reads = append(s.reads, done)
	return relation
}

// endReads ends the relations of a statement.
func (s *session) endReads() {
	for _, done := range s.reads {
		done()
	}
	s.reads = nil
}
