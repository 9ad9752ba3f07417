package activities

import (
	"context"
	"errors"
)

// Errors of Objects that callers tell apart with errors.Is.
var (
	// ErrNoObject says that there is no object of that key.
	ErrNoObject = errors.New("no such object")
	// ErrObjectExists says that a PutObject with OnlyNew met an object of that key.
	ErrObjectExists = errors.New("the object exists already")
)

// Objects is what the activities need of a bucket. Every method is consistent with all writes that ended before it began, as S3 is.
type Objects interface {
	// URI is the object's address as notebooks and people see it, as in s3://bucket/key.
	URI(key string) string
	// Get returns an object's content, or ErrNoObject.
	Get(ctx context.Context, key string) ([]byte, error)
	// Head returns an object's size and metadata, or ErrNoObject.
	Head(ctx context.Context, key string) (ObjectInfo, error)
	// Put writes an object. With OnlyNew exactly one of all writers of a key succeeds, the others get ErrObjectExists.
	Put(ctx context.Context, object PutObject) error
	// List returns keys and sizes in the byte order of the keys.
	List(ctx context.Context, list ListObjects) ([]ObjectInfo, error)
}

// ObjectInfo describes an object.
type ObjectInfo struct {
	Key  string
	Size int64 // bytes
	// Metadata has lower-case names. List does not fill it: S3 tells it of single objects only.
	Metadata map[string]string
}

// PutObject is an object to write.
type PutObject struct {
	Key      string
	Body     []byte
	Metadata map[string]string // names in lower case
	// SHA256 is the body's checksum in hex, where the writer has it already.
	SHA256 string
	// OnlyNew writes with If-None-Match: *, so that an object which exists stays as it is.
	OnlyNew bool
}

// ListObjects says which keys to list: those with the prefix that come after After and before Before, where these are given.
type ListObjects struct {
	Prefix string
	After  string
	Before string
}
