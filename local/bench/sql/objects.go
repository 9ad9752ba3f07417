package main

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pinflow/pinflow/local/objectstore"
)

// bucket is the address of the directory of the objects.
const bucket = "s3://bench/"

// objects are files. All engines read the same ones.
type objects struct{ root string }

// List lists the files whose URI starts with the prefix.
func (o objects) List(_ context.Context, prefix string) ([]objectstore.Object, error) {
	var all []objectstore.Object
	err := filepath.WalkDir(o.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		uri := bucket + strings.TrimPrefix(path, o.root+"/")
		if !strings.HasPrefix(uri, prefix) {
			return nil
		}
		info, err := entry.Info()
		if err == nil {
			all = append(all, objectstore.Object{URI: uri, Size: info.Size(), Modified: info.ModTime()})
		}
		return err
	})
	return all, err
}

// Open opens a file.
func (o objects) Open(_ context.Context, uri string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(o.root, strings.TrimPrefix(uri, bucket)))
}
