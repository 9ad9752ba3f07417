// Package objectstore reads objects by their addresses, s3://bucket/key, and finds them by Databricks'
// path patterns.
package objectstore

import (
	"context"
	"io"
	"time"
)

// Object is one object of a store.
type Object struct {
	// URI is the address, as in s3://bucket/key.
	URI string
	// Size is in bytes.
	Size     int64
	Modified time.Time
}

// Store is a store of objects.
type Store interface {
	// List returns the objects whose URI starts with the prefix, sorted by URI.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Open returns the content of an object. The caller closes it.
	Open(ctx context.Context, uri string) (io.ReadCloser, error)
}
