package enginetest

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/pinflow/pinflow/local/objectstore"
)

// root is the address of the bucket in which the tests land.
const root = "s3://b"

// Objects is an object store in memory. It is safe for concurrent use.
type Objects struct {
	mu       sync.Mutex
	contents map[string][]byte // by URI
}

// Append appends to an object, which it creates if there is none.
func (o *Objects) Append(uri string, content []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.contents == nil {
		o.contents = map[string][]byte{}
	}
	o.contents[uri] = append(o.contents[uri], content...)
}

// List implements objectstore.Store.
func (o *Objects) List(_ context.Context, prefix string) ([]objectstore.Object, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var found []objectstore.Object
	for uri, content := range o.contents {
		if strings.HasPrefix(uri, prefix) {
			found = append(found, objectstore.Object{URI: uri, Size: int64(len(content))})
		}
	}
	slices.SortFunc(found, func(a, b objectstore.Object) int { return strings.Compare(a.URI, b.URI) })
	return found, nil
}

// Open implements objectstore.Store.
func (o *Objects) Open(_ context.Context, uri string) (io.ReadCloser, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return io.NopCloser(bytes.NewReader(slices.Clone(o.contents[uri]))), nil
}
