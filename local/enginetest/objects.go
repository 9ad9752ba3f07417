package enginetest

import (
	"context"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/local/engine"
)

// root is the address of the bucket in which the tests land.
const root = "s3://b"

// Objects is an object store in memory: contents by URI.
type Objects map[string][]byte

// List implements engine.ObjectStore.
func (o Objects) List(_ context.Context, prefix string) ([]engine.Object, error) {
	var found []engine.Object
	for uri, content := range o {
		if strings.HasPrefix(uri, prefix) {
			found = append(found, engine.Object{URI: uri, Size: int64(len(content))})
		}
	}
	slices.SortFunc(found, func(a, b engine.Object) int { return strings.Compare(a.URI, b.URI) })
	return found, nil
}

// Read implements engine.ObjectStore.
func (o Objects) Read(_ context.Context, uri string) ([]byte, error) { return o[uri], nil }
