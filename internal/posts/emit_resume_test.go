package posts

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEmitResume(t *testing.T) {
	t.Run("resumes_after_the_last_acknowledged_record", func(t *testing.T) {
		g := newGateway(t)
		in := g.input(counted(100))
		in.Batch, in.Checkpoints, in.Resume = 10, t.TempDir(), true
		crash := errors.New("killed")
		ctx, kill := context.WithCancelCause(context.Background())
		g.trouble = func(topic string, request int, w http.ResponseWriter, write func(int)) bool {
			if topic == "u.pin" && request == 4 { // written, but the client is gone
				write(10)
				kill(crash)
				panic(http.ErrAbortHandler)
			}
			return false
		}
		_, err := Emit(ctx, in)
		require.ErrorIs(t, err, crash)
		g.restart(t) // a request whose client has gone may be under way
		require.Len(t, g.records["u.pin"], 40)

		g.trouble = nil
		result, err := Emit(context.Background(), in)
		require.NoError(t, err)
		require.GreaterOrEqual(t, result.Resumed, 30)
		require.Equal(t, 70, result.Records["pin"])
		for _, kind := range Kinds {
			require.Equal(t, upTo(100), g.values("u."+kind))
		}
		require.Len(t, g.records["u.pin"], 110, "only the request without an answer is repeated")

		result, err = Emit(context.Background(), in)
		require.NoError(t, err)
		require.Zero(t, result.Total(), "nothing is left")
		require.Equal(t, 300, result.Resumed)

		in.Resume = false
		result, err = Emit(context.Background(), in)
		require.NoError(t, err)
		require.Equal(t, 300, result.Total(), "without --resume it starts from the first post")
	})

	t.Run("resumes_to_a_larger_number_of_posts", func(t *testing.T) {
		g := newGateway(t)
		in := g.input(NewGenerator())
		in.Checkpoints, in.Resume, in.Posts = t.TempDir(), true, 300
		_, err := Emit(context.Background(), in)
		require.NoError(t, err)
		in.Posts = 700
		_, err = Emit(context.Background(), in)
		require.NoError(t, err)
		for _, kind := range Kinds {
			var want []string
			for _, line := range take(t, NewGenerator(), kind, 700) {
				want = append(want, string(line.Value))
			}
			var got []string
			for _, r := range g.records["u."+kind] {
				got = append(got, string(r.Value))
			}
			require.Equal(t, want, got)
		}
	})

	t.Run("a_checkpoint_is_of_one_source_and_one_gateway", func(t *testing.T) {
		g, other, dir := newGateway(t), newGateway(t), t.TempDir()
		for _, in := range []EmitInput{g.input(counted(10)), g.input(counted(11)), other.input(counted(10))} {
			in.Checkpoints, in.Resume = dir, true
			result, err := Emit(context.Background(), in)
			require.NoError(t, err)
			require.Zero(t, result.Resumed)
		}
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 3)

		for _, entry := range entries {
			require.NoError(t, os.WriteFile(filepath.Join(dir, entry.Name()), []byte("{"), 0o600))
		}
		in := g.input(counted(10))
		in.Checkpoints, in.Resume = dir, true
		_, err = Emit(context.Background(), in)
		require.ErrorContains(t, err, "delete it")
	})
}
