package spark

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/local/engine"
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
	objects, err := engine.Find(ctx, s.engine.objects, pattern)
	if err != nil {
		return "", fmt.Errorf("read_files %s: %w", pattern, err)
	}
	s.reads++
	folder := filepath.Join(s.folder(), strconv.Itoa(s.reads))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readAhead)
	for _, object := range objects {
		group.Go(func() error {
			content, err := s.engine.objects.Read(ctx, object.URI)
			if err != nil {
				return fmt.Errorf("read %s: %w", object.URI, err)
			}
			file := filepath.Join(folder, local(object.URI))
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			return os.WriteFile(file, content, 0o644)
		})
	}
	return filepath.Join(folder, local(pattern)), group.Wait()
}

// local returns the path of a URI below a folder.
func local(uri string) string {
	_, path, _ := strings.Cut(uri, "://")
	return path
}
