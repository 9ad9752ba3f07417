// Package buckettest is a bucket in memory for tests, and the contract that every bucket keeps.
package buckettest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pinflow/pinflow/internal/bucket"
)

// Memory is a bucket in memory. It keeps the contract of bucket.Objects and is safe for concurrent
// use.
type Memory struct {
	mu            sync.Mutex
	objects       map[string]bucket.PutInput
	before, after Hook
}

var _ bucket.Objects = (*Memory)(nil)

// Hook decides whether a request fails: with the error that it returns. The request is "get",
// "head", "put" or "list"; the key is that of the object, or the prefix of a list. A hook may use
// the bucket.
type Hook func(request, key string) error

// New returns an empty bucket.
func New() *Memory { return &Memory{objects: map[string]bucket.PutInput{}} }

// FailBefore sets the hook that may fail a request before it has an effect; nil removes it.
func (m *Memory) FailBefore(hook Hook) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before = hook
}

// FailAfter sets the hook that may fail a request after it had its effect, as a lost answer does;
// nil removes it.
func (m *Memory) FailAfter(hook Hook) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.after = hook
}

// Keys returns the keys with the prefix, in their order. It calls no hook.
func (m *Memory) Keys(prefix string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m.objects)), func(key string) bool { return !strings.HasPrefix(key, prefix) })
}

// Body returns the content of an object, or nil if there is none. It calls no hook.
func (m *Memory) Body(key string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.objects[key].Body)
}

// Delete deletes the objects with the prefix. It calls no hook.
func (m *Memory) Delete(prefix string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.objects, func(key string, _ bucket.PutInput) bool { return strings.HasPrefix(key, prefix) })
}

// URI returns s3://bucket/ and the key.
func (m *Memory) URI(key string) string { return "s3://bucket/" + key }

// Get implements bucket.Objects.
func (m *Memory) Get(ctx context.Context, key string) (body []byte, err error) {
	err = m.request(ctx, "get", key, func() error {
		object, ok := m.objects[key]
		if !ok {
			return bucket.ErrNotFound
		}
		body = append([]byte{}, object.Body...)
		return nil
	})
	return body, err
}

// Head implements bucket.Objects.
func (m *Memory) Head(ctx context.Context, key string) (found bucket.Object, err error) {
	err = m.request(ctx, "head", key, func() error {
		object, ok := m.objects[key]
		if !ok {
			return bucket.ErrNotFound
		}
		found = bucket.Object{Key: key, Size: int64(len(object.Body)), ContentType: cmp.Or(object.ContentType, bucket.DefaultContentType), Metadata: maps.Clone(object.Metadata)}
		return nil
	})
	return found, err
}

// Put implements bucket.Objects.
func (m *Memory) Put(ctx context.Context, object bucket.PutInput) error {
	return m.request(ctx, "put", object.Key, func() error {
		sum := sha256.Sum256(object.Body)
		if actual := hex.EncodeToString(sum[:]); object.SHA256 != "" && object.SHA256 != actual {
			return fmt.Errorf("put %s: the checksum is %s, not %s", object.Key, actual, object.SHA256)
		}
		if _, exists := m.objects[object.Key]; exists && object.OnlyNew {
			return bucket.ErrExists
		}
		object.Body, object.Metadata = bytes.Clone(object.Body), maps.Clone(object.Metadata)
		m.objects[object.Key] = object
		return nil
	})
}

// List implements bucket.Objects.
func (m *Memory) List(ctx context.Context, list bucket.ListInput) (found []bucket.Object, err error) {
	err = m.request(ctx, "list", list.Prefix, func() error {
		for _, key := range slices.Sorted(maps.Keys(m.objects)) {
			if strings.HasPrefix(key, list.Prefix) && key > list.After && (list.Before == "" || key < list.Before) {
				found = append(found, bucket.Object{Key: key, Size: int64(len(m.objects[key].Body))})
			}
			if len(found) == list.Limit && list.Limit > 0 {
				break
			}
		}
		return nil
	})
	return found, err
}

// request calls the hooks around a request. They run without the lock, so that they can use the
// bucket. A cancelled context fails it, as it does with a real bucket.
func (m *Memory) request(ctx context.Context, request, key string, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	before, after := m.before, m.after
	m.mu.Unlock()
	if before != nil {
		if err := before(request, key); err != nil {
			return err
		}
	}
	m.mu.Lock()
	err := do()
	m.mu.Unlock()
	if err == nil && after != nil {
		return after(request, key)
	}
	return err
}
