package buckettest

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pinflow/pinflow/internal/bucket"
)

// bucket is S3 in memory, with its rule for If-None-Match.
type Memory struct {
	Mu      sync.Mutex
	Objects map[string]bucket.PutInput
	Fault   func(request, key string) error // may fail a request before it has an effect
	After   func(request, key string) error // may fail a request after it had its effect, as a lost answer does
}

func New() *Memory { return &Memory{Objects: map[string]bucket.PutInput{}} }

func (b *Memory) begin(request, key string) error {
	if b.Fault == nil {
		return nil
	}
	return b.Fault(request, key)
}

func (b *Memory) URI(key string) string { return "s3://bucket/" + key }

func (b *Memory) Get(_ context.Context, key string) ([]byte, error) {
	if err := b.begin("get", key); err != nil {
		return nil, err
	}
	b.Mu.Lock()
	defer b.Mu.Unlock()
	object, ok := b.Objects[key]
	if !ok {
		return nil, bucket.ErrNotFound
	}
	return bytes.Clone(object.Body), nil
}

func (b *Memory) Head(_ context.Context, key string) (bucket.Object, error) {
	if err := b.begin("head", key); err != nil {
		return bucket.Object{}, err
	}
	b.Mu.Lock()
	defer b.Mu.Unlock()
	object, ok := b.Objects[key]
	if !ok {
		return bucket.Object{}, bucket.ErrNotFound
	}
	return bucket.Object{Key: key, Size: int64(len(object.Body)), Metadata: object.Metadata}, nil
}

func (b *Memory) Put(_ context.Context, object bucket.PutInput) error {
	if err := b.begin("put", object.Key); err != nil {
		return err
	}
	b.Mu.Lock()
	_, exists := b.Objects[object.Key]
	if exists && object.OnlyNew {
		b.Mu.Unlock()
		return bucket.ErrExists
	}
	object.Body = bytes.Clone(object.Body)
	b.Objects[object.Key] = object
	b.Mu.Unlock()
	if b.After != nil {
		return b.After("put", object.Key)
	}
	return nil
}

func (b *Memory) List(_ context.Context, list bucket.ListInput) ([]bucket.Object, error) {
	if err := b.begin("list", list.Prefix); err != nil {
		return nil, err
	}
	b.Mu.Lock()
	defer b.Mu.Unlock()
	var found []bucket.Object
	for _, key := range slices.Sorted(maps.Keys(b.Objects)) {
		if strings.HasPrefix(key, list.Prefix) && key > list.After && (list.Before == "" || key < list.Before) {
			found = append(found, bucket.Object{Key: key, Size: int64(len(b.Objects[key].Body))})
		}
	}
	return found, nil
}

// keys lists the keys with a prefix.
func (b *Memory) Keys(prefix string) []string {
	listed, _ := b.List(context.Background(), bucket.ListInput{Prefix: prefix})
	keys := make([]string, len(listed))
	for i, object := range listed {
		keys[i] = object.Key
	}
	return keys
}
