package buckettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/bucket"
)

// timeout limits one part of the contract; it is not an expectation of speed.
const timeout = time.Minute

// Contract tests that buckets behave as bucket.Objects documents. Each part of it takes an empty
// bucket from newBucket.
func Contract(t *testing.T, newBucket func(*testing.T) bucket.Objects) {
	for name, part := range map[string]func(context.Context, *testing.T, bucket.Objects){
		"ReadsWhatWasWritten":           readsWhatWasWritten,
		"OverwritesUnlessOnlyNew":       overwritesUnlessOnlyNew,
		"KeepsTheContentType":           keepsTheContentType,
		"OnlyNewHasExactlyOneWinner":    onlyNewHasExactlyOneWinner,
		"MissingObjectsAreNotFound":     missingObjectsAreNotFound,
		"RejectsAWrongChecksum":         rejectsAWrongChecksum,
		"ListsInOrderOverPages":         listsInOrderOverPages,
		"ListsBetweenAfterAndBefore":    listsBetweenAfterAndBefore,
		"SeesEveryWriteThatEndedBefore": seesEveryWriteThatEndedBefore,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			part(ctx, t, newBucket(t))
		})
	}
}

func readsWhatWasWritten(ctx context.Context, t *testing.T, objects bucket.Objects) {
	metadata := map[string]string{"end-offset": "12", "sha256": "ab"}
	for key, body := range map[string]string{"runs/d/2022-10-18.json": "{}", "topics/u.pin/u.pin+0+empty.json": "", "a b/ü+%.json": "x"} {
		require.NoError(t, objects.Put(ctx, bucket.PutInput{Key: key, Body: []byte(body), Metadata: metadata}))
		got, err := objects.Get(ctx, key)
		require.NoError(t, err)
		require.Equal(t, body, string(got))
		head, err := objects.Head(ctx, key)
		require.NoError(t, err)
		require.Equal(t, bucket.Object{Key: key, Size: int64(len(body)), ContentType: bucket.DefaultContentType, Metadata: metadata}, head)
		require.True(t, strings.HasPrefix(objects.URI(key), "s3://") && strings.HasSuffix(objects.URI(key), "/"+key), objects.URI(key))
	}
}

func keepsTheContentType(ctx context.Context, t *testing.T, objects bucket.Objects) {
	const html = "text/html; charset=utf-8"
	require.NoError(t, objects.Put(ctx, bucket.PutInput{Key: "reports/d/2022-10-18.html", Body: []byte("<p>"), ContentType: html}))
	head, err := objects.Head(ctx, "reports/d/2022-10-18.html")
	require.NoError(t, err)
	require.Equal(t, html, head.ContentType)
}

func overwritesUnlessOnlyNew(ctx context.Context, t *testing.T, objects bucket.Objects) {
	read := func() string {
		body, err := objects.Get(ctx, "k")
		require.NoError(t, err)
		return string(body)
	}
	require.NoError(t, objects.Put(ctx, bucket.PutInput{Key: "k", Body: []byte("first"), Metadata: map[string]string{"a": "1"}, OnlyNew: true}))
	require.ErrorIs(t, objects.Put(ctx, bucket.PutInput{Key: "k", Body: []byte("second"), OnlyNew: true}), bucket.ErrExists)
	require.Equal(t, "first", read())
	require.NoError(t, objects.Put(ctx, bucket.PutInput{Key: "k", Body: []byte("third")}))
	require.Equal(t, "third", read())
	head, err := objects.Head(ctx, "k")
	require.NoError(t, err)
	require.Empty(t, head.Metadata, "the metadata is overwritten, too")
}

func onlyNewHasExactlyOneWinner(ctx context.Context, t *testing.T, objects bucket.Objects) {
	for i := range 10 {
		key := fmt.Sprintf("topics/u.pin/dt=2022-10-18/partition=0/u.pin+0+%010d.json", i)
		var won, lost atomic.Int64
		var group errgroup.Group
		for writer := range 8 {
			group.Go(func() error {
				body := bytes.Repeat([]byte{byte('a' + writer)}, 100_000)
				err := objects.Put(ctx, bucket.PutInput{Key: key, Body: body, Metadata: map[string]string{"writer": fmt.Sprint(writer)}, OnlyNew: true})
				switch {
				case err == nil:
					won.Add(1)
				case errors.Is(err, bucket.ErrExists):
					lost.Add(1)
					return nil
				}
				return err
			})
		}
		require.NoError(t, group.Wait())
		require.EqualValues(t, 1, won.Load())
		require.EqualValues(t, 7, lost.Load())
		head, err := objects.Head(ctx, key)
		require.NoError(t, err)
		body, err := objects.Get(ctx, key)
		require.NoError(t, err)
		require.Len(t, body, 100_000)
		require.Equal(t, head.Metadata["writer"], fmt.Sprint(int(body[0]-'a')), "content and metadata are of one writer")
	}
}

func missingObjectsAreNotFound(ctx context.Context, t *testing.T, objects bucket.Objects) {
	require.NoError(t, objects.Put(ctx, bucket.PutInput{Key: "runs/d/2022-10-18.json"}))
	for _, key := range []string{"runs/d/2022-10-19.json", "runs/d/", "runs/d/2022-10-18"} {
		_, err := objects.Get(ctx, key)
		require.ErrorIs(t, err, bucket.ErrNotFound, key)
		_, err = objects.Head(ctx, key)
		require.ErrorIs(t, err, bucket.ErrNotFound, key)
	}
}

func rejectsAWrongChecksum(ctx context.Context, t *testing.T, objects bucket.Objects) {
	for _, sum := range []string{strings.Repeat("ab", 32), "no hex"} {
		require.Error(t, objects.Put(ctx, bucket.PutInput{Key: "k", Body: []byte("content"), SHA256: sum}))
		_, err := objects.Get(ctx, "k")
		require.ErrorIs(t, err, bucket.ErrNotFound, "nothing was written")
	}
	const ofContent = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
	require.NoError(t, objects.Put(ctx, bucket.PutInput{Key: "k", Body: []byte("content"), SHA256: ofContent}))
}

func listsInOrderOverPages(ctx context.Context, t *testing.T, objects bucket.Objects) {
	const keys = 1200 // a page of S3 has 1,000
	var group errgroup.Group
	group.SetLimit(bucket.ParallelRequests)
	for i := range keys {
		group.Go(func() error {
			return objects.Put(ctx, bucket.PutInput{Key: fmt.Sprintf("runs/d/%04d.json", i), Body: []byte("{}"), Metadata: map[string]string{"a": "1"}})
		})
	}
	require.NoError(t, group.Wait())
	require.NoError(t, objects.Put(ctx, bucket.PutInput{Key: "runs/e/0001.json"}))
	all, err := objects.List(ctx, bucket.ListInput{Prefix: "runs/d/"})
	require.NoError(t, err)
	require.Len(t, all, keys)
	for i, object := range all {
		require.Equal(t, bucket.Object{Key: fmt.Sprintf("runs/d/%04d.json", i), Size: 2}, object)
	}
}

func listsBetweenAfterAndBefore(ctx context.Context, t *testing.T, objects bucket.Objects) {
	// No key is also a "directory" of another: S3 allows that, the local server does not.
	for _, key := range []string{"a/1", "a/2", "a/10", "a/B", "a/b", "a-1", "ab/1", "b/1"} {
		require.NoError(t, objects.Put(ctx, bucket.PutInput{Key: key}))
	}
	for _, c := range []struct {
		list bucket.ListInput
		want []string
	}{
		{bucket.ListInput{}, []string{"a-1", "a/1", "a/10", "a/2", "a/B", "a/b", "ab/1", "b/1"}},
		{bucket.ListInput{Prefix: "a/"}, []string{"a/1", "a/10", "a/2", "a/B", "a/b"}},
		{bucket.ListInput{Prefix: "a/", After: "a/1"}, []string{"a/10", "a/2", "a/B", "a/b"}},
		{bucket.ListInput{Prefix: "a/", Before: "a/B"}, []string{"a/1", "a/10", "a/2"}},
		{bucket.ListInput{Prefix: "a/", After: "a/0", Before: "a/10"}, []string{"a/1"}},
		{bucket.ListInput{Prefix: "a/", After: "a/1", Limit: 2}, []string{"a/10", "a/2"}},
		{bucket.ListInput{Prefix: "a/", Before: "a/2", Limit: 3}, []string{"a/1", "a/10"}},
		{bucket.ListInput{Prefix: "a/", After: "0", Before: "c"}, []string{"a/1", "a/10", "a/2", "a/B", "a/b"}},
		{bucket.ListInput{Prefix: "c/"}, nil},
	} {
		listed, err := objects.List(ctx, c.list)
		require.NoError(t, err)
		var keys []string
		for _, object := range listed {
			keys = append(keys, object.Key)
		}
		require.Equal(t, c.want, keys, "%+v", c.list)
	}
}

func seesEveryWriteThatEndedBefore(ctx context.Context, t *testing.T, objects bucket.Objects) {
	for i := range 20 {
		key, body := fmt.Sprintf("k/%02d", i), strings.Repeat("x", i)
		require.NoError(t, objects.Put(ctx, bucket.PutInput{Key: key, Body: []byte(body)}))
		listed, err := objects.List(ctx, bucket.ListInput{Prefix: "k/"})
		require.NoError(t, err)
		require.Len(t, listed, i+1)
		require.Equal(t, bucket.Object{Key: key, Size: int64(i)}, listed[i])
		head, err := objects.Head(ctx, key)
		require.NoError(t, err)
		require.EqualValues(t, i, head.Size)
	}
}
