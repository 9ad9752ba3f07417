// Package bucket is the interface of an object store with S3's semantics.
package bucket

import (
	"context"
	"errors"
)

// ParallelRequests is how many requests one reader of many objects sends at a time.
const ParallelRequests = 16

// DefaultContentType is the media type of objects whose writer names none.
const DefaultContentType = "application/json"

// Errors that callers distinguish with errors.Is.
var (
	// ErrNotFound is the error for a key that has no object.
	ErrNotFound = errors.New("no such object")
	// ErrExists is the error of a Put with OnlyNew for a key that has an object.
	ErrExists = errors.New("the object exists already")
)

// Objects are the objects of a bucket. Like S3, every method sees all writes that ended before it
// began.
type Objects interface {
	// URI returns the address of an object, as in s3://bucket/key.
	URI(key string) string
	// Get returns the content of an object, or ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// Head returns the size and metadata of an object, or ErrNotFound.
	Head(ctx context.Context, key string) (Object, error)
	// Put writes an object. With OnlyNew exactly one writer of a key succeeds; the others get
	// ErrExists.
	Put(ctx context.Context, object PutInput) error
	// List returns keys and sizes, in the byte order of the keys.
	List(ctx context.Context, list ListInput) ([]Object, error)
}

// Object describes an object.
type Object struct {
	Key  string
	Size int64 // bytes
	// ContentType is the media type. List leaves it empty, as S3 does.
	ContentType string
	// Metadata has lower-case names. List leaves it empty, as S3 does.
	Metadata map[string]string
}

// PutInput is an object to write.
type PutInput struct {
	Key      string
	Body     []byte
	Metadata map[string]string // names in lower case
	// SHA256 is the checksum of the body in hex, if the writer already has it.
	SHA256 string
	// ContentType is the media type of the body; application/json if empty.
	ContentType string
	// OnlyNew writes with If-None-Match: *, which leaves an existing object unchanged.
	OnlyNew bool
}

// ListInput selects the keys with the prefix that come after After and before Before, if these are
// set, and the first Limit of them, if it is not 0.
type ListInput struct {
	Prefix string
	After  string
	Before string
	Limit  int
}
