package landing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/activities"
)

func TestPut_OnlyNewHasExactlyOneWinner(t *testing.T) {
	t.Parallel()
	bucket, ctx := newBucket(t), deadline(t)
	for key := range 10 {
		var won atomic.Int64
		var group errgroup.Group
		name := fmt.Sprintf("topics/u.pin/dt=2022-10-18/partition=0/u.pin+0+%010d.json", key)
		for writer := range 8 {
			group.Go(func() error {
				body := bytes.Repeat([]byte{byte('a' + writer)}, 100_000)
				err := bucket.Put(ctx, activities.PutObject{Key: name, Body: body, Metadata: map[string]string{"writer": fmt.Sprint(writer)}, OnlyNew: true})
				if errors.Is(err, activities.ErrObjectExists) {
					return nil
				}
				if err == nil {
					won.Add(1)
				}
				return err
			})
		}
		require.NoError(t, group.Wait())
		require.EqualValues(t, 1, won.Load())
		head, err := bucket.Head(ctx, name)
		require.NoError(t, err)
		body, err := bucket.Get(ctx, name)
		require.NoError(t, err)
		require.EqualValues(t, 100_000, head.Size)
		require.Equal(t, head.Metadata["writer"], fmt.Sprint(int(body[0]-'a')), "content and metadata are of one writer")
	}
}

func TestObjects_AreReadBackAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	bucket, ctx := newBucketNamed(t, "pinflow"), deadline(t)
	require.Equal(t, "s3://pinflow/a/b.json", bucket.URI("a/b.json"))
	for key, body := range map[string][]byte{"runs/d/2022-10-18.json": []byte("{}"), "topics/u.pin/u.pin+0+empty.json": nil} {
		require.NoError(t, bucket.Put(ctx, activities.PutObject{Key: key, Body: body, Metadata: map[string]string{"end-offset": "12"}}))
		got, err := bucket.Get(ctx, key)
		require.NoError(t, err)
		require.Equal(t, string(body), string(got))
		head, err := bucket.Head(ctx, key)
		require.NoError(t, err)
		require.Equal(t, activities.ObjectInfo{Key: key, Size: int64(len(body)), Metadata: map[string]string{"end-offset": "12"}}, head)
	}
	require.NoError(t, bucket.Put(ctx, activities.PutObject{Key: "runs/d/2022-10-18.json", Body: []byte("new")}))
	got, err := bucket.Get(ctx, "runs/d/2022-10-18.json")
	require.NoError(t, err)
	require.Equal(t, "new", string(got))
	_, err = bucket.Get(ctx, "runs/d/none.json")
	require.ErrorIs(t, err, activities.ErrNoObject)
	_, err = bucket.Head(ctx, "runs/d/none.json")
	require.ErrorIs(t, err, activities.ErrNoObject)
}

func TestPut_RefusesContentThatIsNotTheWriters(t *testing.T) {
	t.Parallel()
	bucket, ctx := newBucket(t), deadline(t)
	err := bucket.Put(ctx, activities.PutObject{Key: "k", Body: []byte("other"), SHA256: strings.Repeat("ab", 32)})
	require.Error(t, err)
	_, err = bucket.Get(ctx, "k")
	require.ErrorIs(t, err, activities.ErrNoObject)
	require.Error(t, bucket.Put(ctx, activities.PutObject{Key: "k", SHA256: "no hex"}))
}

func TestList_IsInOrderOverPagesAndWithinItsLimits(t *testing.T) {
	t.Parallel()
	bucket, ctx := newBucket(t), deadline(t)
	var group errgroup.Group
	group.SetLimit(16)
	for i := range 1200 { // a page has 1,000
		group.Go(func() error {
			return bucket.Put(ctx, activities.PutObject{Key: fmt.Sprintf("runs/d/%04d.json", i), Body: []byte("{}")})
		})
	}
	require.NoError(t, group.Wait())
	require.NoError(t, bucket.Put(ctx, activities.PutObject{Key: "runs/e/0001.json"}))
	all, err := bucket.List(ctx, activities.ListObjects{Prefix: "runs/d/"})
	require.NoError(t, err)
	require.Len(t, all, 1200)
	for i, object := range all {
		require.Equal(t, activities.ObjectInfo{Key: fmt.Sprintf("runs/d/%04d.json", i), Size: 2}, object)
	}
	some, err := bucket.List(ctx, activities.ListObjects{Prefix: "runs/d/", After: "runs/d/0998", Before: "runs/d/1003"})
	require.NoError(t, err)
	require.Equal(t, all[998:1003], some)
	none, err := bucket.List(ctx, activities.ListObjects{Prefix: "nothing/"})
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestEnsureBucket_IsIdempotent(t *testing.T) {
	t.Parallel()
	bucket := newBucket(t)
	created, err := bucket.EnsureBucket(deadline(t))
	require.NoError(t, err)
	require.False(t, created)
}

// An answer 409 to a conditional write says that another one is under way and nobody has won yet: it is asked again.
func TestPut_ConflictIsTriedAgain(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if request.Header.Get("If-None-Match") != "*" || request.Header.Get("X-Amz-Checksum-Sha256") == "" {
			answer.WriteHeader(http.StatusBadRequest)
			return
		}
		if requests.Add(1) == 1 {
			answer.WriteHeader(http.StatusConflict)
			_, _ = answer.Write([]byte(`<Error><Code>ConditionalRequestConflict</Code><Message>try again</Message></Error>`))
			return
		}
		answer.WriteHeader(http.StatusPreconditionFailed)
		_, _ = answer.Write([]byte(`<Error><Code>PreconditionFailed</Code></Error>`))
	}))
	defer server.Close()
	bucket := connect(t, server.Listener.Addr().String(), "local-secret")
	err := bucket.Put(deadline(t), activities.PutObject{Key: "k", Body: []byte("{}"), OnlyNew: true})
	require.ErrorIs(t, err, activities.ErrObjectExists)
	require.EqualValues(t, 2, requests.Load())
}

// What the activities say about the refusals of a real server.
func TestS3_RefusalsSayWhatToDo(t *testing.T) {
	tests := map[string]struct {
		answer int
		code   string
		kind   string
		words  string
	}{
		"no bucket":    {http.StatusNotFound, "NoSuchBucket", activities.ErrorSettings, "PINFLOW_BUCKET"},
		"wrong key":    {http.StatusForbidden, "SignatureDoesNotMatch", activities.ErrorDenied, "credentials"},
		"no right":     {http.StatusForbidden, "AccessDenied", activities.ErrorDenied, "credentials"},
		"wrong region": {http.StatusMovedPermanently, "PermanentRedirect", activities.ErrorSettings, "AWS_REGION"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
				answer.WriteHeader(test.answer)
				_, _ = fmt.Fprintf(answer, `<Error><Code>%s</Code><Message>no</Message></Error>`, test.code)
			}))
			defer server.Close()
			ledger := &activities.Ledger{Objects: connect(t, server.Listener.Addr().String(), "wrong")}
			_, err := ledger.ReadLedger(context.Background(), activities.ReadLedgerInput{DAG: "d", From: "2022-10-18", To: "2022-10-18"})
			requireFinal(t, err, test.kind, test.words)
		})
	}
}
