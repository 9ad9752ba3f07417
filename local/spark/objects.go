package spark

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/local/objectstore"
)

// readAhead is how many objects are fetched at a time.
const readAhead = 4

// fetch copies the objects of a pattern into a folder of the session and returns the pattern of the
// copies. Spark would read S3 itself with half a gigabyte of more jars; as it lists the copies by the
// same pattern, nothing else changes.
func (s *session) fetch(ctx context.Context, pattern string) (string, error) {
	if s.engine.objects == nil {
		return "", errors.New("read_files: this engine has no object store")
	}
	objects, err := objectstore.Find(ctx, s.engine.objects, pattern)
	if err != nil {
		return "", fmt.Errorf("read_files %s: %w", pattern, err)
	}
	s.reads++
	folder := filepath.Join(s.folder(), strconv.Itoa(s.reads))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readAhead)
	for _, object := range objects {
		group.Go(func() error {
			return s.copy(ctx, object.URI, filepath.Join(folder, local(object.URI)))
		})
	}
	return filepath.Join(folder, local(pattern)), group.Wait()
}

// copy copies an object into a file.
func (s *session) copy(ctx context.Context, uri, file string) error {
	content, err := s.engine.objects.Open(ctx, uri)
	if err != nil {
		return fmt.Errorf("read %s: %w", uri, err)
	}
	defer content.Close()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err = io.Copy(f, content); err != nil {
		err = fmt.Errorf("read %s: %w", uri, err)
	}
	return errors.Join(err, f.Close())
}

// local returns the path of a URI below a folder.
func local(uri string) string {
	_, path, _ := strings.Cut(uri, "://")
	return path
}
