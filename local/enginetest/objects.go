package enginetest

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/local/objectstore"
)

// root is the address of the bucket in which the tests land.
const root = "s3://b"

// Objects is an object store in memory: contents by URI.
type Objects map[string][]byte

// List implements objectstore.Store.
func (o Objects) List(_ context.Context, prefix string) ([]objectstore.Object, error) {
	var found []objectstore.Object
	for uri, content := range o {
		if strings.HasPrefix(uri, prefix) {
			found = append(found, objectstore.Object{URI: uri, Size: int64(len(content))})
		}
	}
	slices.SortFunc(found, func(a, b objectstore.Object) int { return strings.Compare(a.URI, b.URI) })
	return found, nil
}

// Open implements objectstore.Store.
func (o Objects) Open(_ context.Context, uri string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(o[uri])), nil
}
