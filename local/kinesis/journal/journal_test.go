package journal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func open(t require.TestingT, dir string, size int64) (*Journal, [][]byte) {
	var replayed [][]byte
	j, err := Open(Options{Dir: dir, SegmentSize: size, Replay: func(_ Place, payload []byte) error {
		replayed = append(replayed, append([]byte{}, payload...))
		return nil
	}})
	require.NoError(t, err)
	return j, replayed
}

func TestJournal(t *testing.T) {
	t.Parallel()
	t.Run("what_was_appended_is_read_and_replayed", func(t *testing.T) {
		dir := t.TempDir()
		j, _ := open(t, dir, 40)
		var places []Place
		want := [][]byte{[]byte("one"), {}, []byte("three"), make([]byte, 100), []byte("five")}
		for _, payload := range want {
			at, err := j.Append([][]byte{payload})
			require.NoError(t, err)
			places = append(places, at...)
		}
		require.Greater(t, j.Active(), int32(1), "several segments")
		got, err := j.Read(places)
		require.NoError(t, err)
		require.Equal(t, want, got)
		j.Close()
		_, replayed := open(t, dir, 40)
		require.Equal(t, want, replayed)
	})
	t.Run("only_the_owner_can_read_it", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "journal")
		open(t, dir, 0)
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	})
	t.Run("a_damaged_segment_before_the_last_is_an_error", func(t *testing.T) {
		dir := t.TempDir()
		j, _ := open(t, dir, 1)
		for range 3 {
			_, err := j.Append([][]byte{[]byte("record")})
			require.NoError(t, err)
		}
		j.Close()
		require.NoError(t, os.Truncate(filepath.Join(dir, "00000001.log"), 5))
		_, err := Open(Options{Dir: dir, SegmentSize: 1})
		require.ErrorContains(t, err, "00000001.log is damaged at byte 0")
	})
	t.Run("a_removed_segment_is_gone", func(t *testing.T) {
		dir := t.TempDir()
		j, _ := open(t, dir, 1)
		places, err := j.Append([][]byte{[]byte("old")})
		require.NoError(t, err)
		_, err = j.Append([][]byte{[]byte("new")})
		require.NoError(t, err)
		require.NoError(t, j.Remove(2))
		_, err = j.Read(places)
		require.ErrorIs(t, err, ErrGone)
		j.Close()
		_, replayed := open(t, dir, 1)
		require.Equal(t, [][]byte{[]byte("new")}, replayed)
	})
	t.Run("an_append_that_failed_leaves_nothing", func(t *testing.T) {
		dir := t.TempDir()
		j, _ := open(t, dir, 0)
		_, err := j.Append([][]byte{[]byte("one")})
		require.NoError(t, err)
		file := j.segments[j.active]
		readOnly, err := os.Open(file.Name())
		require.NoError(t, err)
		j.segments[j.active] = readOnly // a write fails, and so does cutting it off
		_, err = j.Append([][]byte{[]byte("two")})
		require.Error(t, err)
		j.segments[j.active] = file
		_, err = j.Append([][]byte{[]byte("three")})
		require.ErrorContains(t, err, "restart")
		j.Close()
		_, replayed := open(t, dir, 0)
		require.Equal(t, [][]byte{[]byte("one")}, replayed)
	})
}

// A crash leaves the last segment cut at any byte after what was synced, with or without garbage
// behind: all that was appended before is there, once and in order.
func TestCrash(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "journal")
		require.NoError(t, err)
		defer func() { require.NoError(t, os.RemoveAll(dir)) }()
		size := rapid.Int64Range(1, 300).Draw(t, "segment size")
		var want [][]byte
		for range rapid.IntRange(1, 4).Draw(t, "crashes") {
			j, replayed := open(t, dir, size)
			require.Equal(t, len(want), len(replayed))
			for i := range want {
				require.Equal(t, want[i], replayed[i])
			}
			for _, batch := range rapid.SliceOfN(rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 60), 1, 5), 0, 6).Draw(t, "batches") {
				_, err := j.Append(batch)
				require.NoError(t, err)
				want = append(want, batch...)
			}
			// The interrupted append: some bytes of its frames, and some of them never written.
			var torn []byte
			for _, payload := range rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 60), 1, 4).Draw(t, "interrupted") {
				torn = appendFrame(torn, payload)
			}
			keep := rapid.IntRange(0, len(torn)-1).Draw(t, "kept bytes")
			whole := wholeFrames(torn, keep)
			want = append(want, whole...) // never acknowledged, yet on disk: allowed, as a prefix
			file := j.segments[j.active]
			_, err := file.WriteAt(torn[:keep], j.size)
			require.NoError(t, err)
			if rapid.Bool().Draw(t, "zeros behind") { // the size was extended, the content was not written
				_, err = file.WriteAt(make([]byte, 20), j.size+int64(keep))
				require.NoError(t, err)
				if frames := wholeFrames(append(torn[:keep:keep], make([]byte, 20)...), keep+20); len(frames) > len(whole) {
					want = append(want, frames[len(whole):]...)
				}
			}
			j.Close()
		}
		j, replayed := open(t, dir, size)
		defer j.Close()
		require.Equal(t, len(want), len(replayed))
		for i := range want {
			require.Equal(t, want[i], replayed[i])
		}
	})
}

func wholeFrames(frames []byte, keep int) (whole [][]byte) {
	for at := 0; at+headerSize <= keep; {
		length := int(frames[at])<<24 | int(frames[at+1])<<16 | int(frames[at+2])<<8 | int(frames[at+3])
		end := at + headerSize + length
		if end > keep {
			break
		}
		payload := frames[at+headerSize : end]
		if checksum(frames[at:at+4], payload) != uint32(frames[at+4])<<24|uint32(frames[at+5])<<16|uint32(frames[at+6])<<8|uint32(frames[at+7]) {
			break
		}
		whole = append(whole, append([]byte{}, payload...))
		at = end
	}
	return whole
}
