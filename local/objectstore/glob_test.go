package objectstore

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// uris is a store without contents.
type uris []string

func (u uris) List(_ context.Context, prefix string) ([]Object, error) {
	var found []Object
	for _, uri := range u {
		if strings.HasPrefix(uri, prefix) {
			found = append(found, Object{URI: uri})
		}
	}
	return found, nil
}

func (u uris) Open(context.Context, string) (io.ReadCloser, error) { return nil, nil }

func TestGlob(t *testing.T) {
	t.Parallel()
	t.Run("matches_like_databricks", func(t *testing.T) {
		t.Parallel()
		all := uris{"s3://b/t/dt=1/p=0/x.json", "s3://b/t/dt=2/p=0/x.json", "s3://b/t/dt=3/p=0/x.json", "s3://b/t/dt=3/p=0/q/x.json", "s3://b/t/dt={1/x.json"}
		for pattern, want := range map[string]uris{
			"s3://b/t/dt={1,3}/*/*.json": {all[0], all[2]},
			"s3://b/t/dt={2}/*/*.json":   {all[1]},
			"s3://b/t/dt=[12]/*/?.json":  {all[0], all[1]},
			"s3://b/t/dt=1/p=0/x.json":   {all[0]},
			"s3://b/t/dt={1/*.json":      {all[4]},
			"s3://b/t/dt={4,5}/*/*.json": nil,
		} {
			found, err := Find(t.Context(), all, pattern)
			require.NoError(t, err, pattern)
			var got uris
			for _, object := range found {
				got = append(got, object.URI)
			}
			require.Equal(t, want, got, pattern)
		}
		_, err := Find(t.Context(), all, "s3://b/t/[")
		require.ErrorContains(t, err, "pattern")
	})

	t.Run("braces_nest", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, []string{"ab"}, alternatives("ab"))
		require.Equal(t, []string{"abx", "acdx", "acex"}, alternatives("a{b,c{d,e}}x"))
		require.Equal(t, []string{"ab1", "ab2", "ac1", "ac2"}, alternatives("a{b,c}{1,2}"))
	})
}
