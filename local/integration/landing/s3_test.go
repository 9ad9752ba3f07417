package landing

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

func TestS3(t *testing.T) {
	t.Run("keeps_the_contract", func(t *testing.T) {
		t.Parallel()
		buckettest.Contract(t, func(t *testing.T) bucket.Objects { return newBucket(t) })
	})

	// Two deployments in one bucket, with names of which one begins with the other.
	t.Run("keeps_deployments_apart", func(t *testing.T) {
		t.Parallel()
		name := fmt.Sprintf("shared-%d", objects.buckets.Add(1))
		prod := newBucketNamed(t, name)
		dev := clientOf(t, name, run.DefaultDeployment+"-dev")
		ctx := deadline(t)
		for _, key := range []string{"runs/d/1.json", "runs/d/2.json", "runs/d/3.json", "runs/d/4.json"} {
			require.NoError(t, prod.Put(ctx, bucket.PutInput{Key: key, Body: []byte("prod"), OnlyNew: true}))
		}
		for _, list := range []bucket.ListInput{{}, {Prefix: "runs/"}, {Prefix: "-dev/"}, {After: "p"}} {
			found, err := dev.List(ctx, list)
			require.NoError(t, err)
			require.Empty(t, found, "%+v", list)
		}
		_, err := dev.Get(ctx, "runs/d/1.json")
		require.ErrorIs(t, err, bucket.ErrNotFound)
		_, err = dev.Head(ctx, "runs/d/1.json")
		require.ErrorIs(t, err, bucket.ErrNotFound)
		require.NoError(t, dev.Put(ctx, bucket.PutInput{Key: "runs/d/1.json", Body: []byte("dev"), OnlyNew: true}), "the key of the other deployment is no obstacle")
		body, err := prod.Get(ctx, "runs/d/1.json")
		require.NoError(t, err)
		require.Equal(t, "prod", string(body))

		found, err := prod.List(ctx, bucket.ListInput{Prefix: "runs/d/", After: "runs/d/1.json", Before: "runs/d/4.json"})
		require.NoError(t, err)
		require.Len(t, found, 2)
		require.Equal(t, []string{"runs/d/2.json", "runs/d/3.json"}, []string{found[0].Key, found[1].Key}, "keys are relative to the folder")
		require.Equal(t, "s3://"+name+"/pinflow-dev/runs/d/1.json", dev.URI("runs/d/1.json"))
	})

	// The errors of activities for the rejections of a server.
	t.Run("rejections_have_a_hint", func(t *testing.T) {
		tests := map[string]struct {
			answer int
			code   string
			kind   string
			words  string
		}{
			"no bucket":    {http.StatusNotFound, "NoSuchBucket", failure.Missing, "PINFLOW_BUCKET"},
			"wrong key":    {http.StatusForbidden, "SignatureDoesNotMatch", failure.AccessDenied, "credentials"},
			"no right":     {http.StatusForbidden, "AccessDenied", failure.AccessDenied, "credentials"},
			"wrong region": {http.StatusMovedPermanently, "PermanentRedirect", failure.Settings, "AWS_REGION"},
		}
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
					answer.WriteHeader(test.answer)
					_, _ = fmt.Fprintf(answer, `<Error><Code>%s</Code><Message>no</Message></Error>`, test.code)
				}))
				defer server.Close()
				entries := &activities.Ledger{Ledger: &ledger.Ledger{Objects: connect(t, server.Listener.Addr().String(), "wrong")}}
				_, err := entries.ReadLedger(context.Background(), ledger.Query{DAG: "d", From: "2022-10-18", To: "2022-10-18"})
				requireFinal(t, err, test.kind, test.words)
			})
		}
	})
}

func TestURI(t *testing.T) {
	t.Parallel()
	t.Run("is_as_spark_and_databricks_take_it", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "s3://named/pinflow/a/b.json", newBucketNamed(t, "named").URI("a/b.json"))
	})
}

func TestEnsureBucket(t *testing.T) {
	t.Parallel()
	t.Run("is_idempotent", func(t *testing.T) {
		t.Parallel()
		bucket := newBucket(t)
		created, err := bucket.EnsureBucket(deadline(t))
		require.NoError(t, err)
		require.False(t, created)
	})
}

func TestPut(t *testing.T) {
	// An answer 409 to a conditional write says that another one is in progress and neither has won
	// yet: it is retried.
	t.Run("a_conflict_is_retried", func(t *testing.T) {
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
		objects := connect(t, server.Listener.Addr().String(), "local-secret")
		err := objects.Put(deadline(t), bucket.PutInput{Key: "k", Body: []byte("{}"), OnlyNew: true})
		require.ErrorIs(t, err, bucket.ErrExists)
		require.EqualValues(t, 2, requests.Load())
	})
}
