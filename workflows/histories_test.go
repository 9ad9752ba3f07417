package workflows

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// repository is a git repository in a temporary directory, with the scripts of this one, in which
// version 0.1.0 has two recorded histories.
type repository struct {
	t   *testing.T
	dir string
}

const (
	releasedList = "workflows/testdata/histories/RELEASED"
	oldHistory   = "workflows/testdata/histories/0.1.0/clean.json"
)

func newRepository(t *testing.T) repository {
	t.Helper()
	r := repository{t, t.TempDir()}
	for _, script := range []string{"check-histories", "freeze-histories"} {
		body, err := os.ReadFile(filepath.Join("..", "scripts", script))
		require.NoError(t, err)
		r.write("scripts/"+script, string(body))
	}
	r.write("CHANGELOG.md", "# Changelog\n\n## 0.1.0\n")
	r.write(oldHistory, `{"events":["clean"]}`+"\n")
	r.write("workflows/testdata/histories/0.1.0/held.json", `{"events":["held"]}`+"\n")
	r.git("init", "-q", "-b", "main")
	r.commit("record the histories")
	return r
}

// newReleased returns a repository in which 0.1.0 is released and 0.2.0 is the current version.
func newReleased(t *testing.T) repository {
	t.Helper()
	r := newRepository(t)
	r.must("scripts/freeze-histories", "0.1.0")
	r.commit("release 0.1.0")
	r.git("tag", "v0.1.0")
	r.write("CHANGELOG.md", "# Changelog\n\n## 0.2.0\n\n## 0.1.0\n")
	r.commit("start 0.2.0")
	return r
}

func (r repository) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	require.NoError(r.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(r.t, os.WriteFile(path, []byte(text), 0o755))
}

func (r repository) read(name string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	require.NoError(r.t, err)
	return string(text)
}

// run runs a command in the repository and returns what it printed.
func (r repository) run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	if strings.Contains(name, "/") {
		cmd.Path = filepath.Join(r.dir, name)
	}
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_DIR="+filepath.Join(r.dir, ".git"),
		"GIT_AUTHOR_NAME=ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=ann", "GIT_COMMITTER_EMAIL=ann@example.com")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (r repository) must(name string, args ...string) string {
	r.t.Helper()
	out, err := r.run(name, args...)
	require.NoError(r.t, err, out)
	return out
}

func (r repository) git(args ...string) { r.t.Helper(); r.must("git", args...) }

func (r repository) commit(subject string) {
	r.t.Helper()
	r.git("add", "-A")
	r.git("commit", "-q", "-m", subject)
}

// rejected requires that the check fails, and says why.
func (r repository) rejected(why ...string) {
	r.t.Helper()
	out, err := r.run("scripts/check-histories")
	require.Error(r.t, err, out)
	for _, text := range why {
		require.Contains(r.t, out, text)
	}
}

// record records 0.1.0 again in the working tree, with checksums to match.
func (r repository) record() {
	r.write(oldHistory, `{"events":["recorded again"]}`+"\n")
	r.git("rm", "-q", "--cached", releasedList)
	require.NoError(r.t, os.Remove(filepath.Join(r.dir, releasedList)))
	changelog := r.read("CHANGELOG.md")
	r.write("CHANGELOG.md", "## 0.1.0\n")
	_, _ = r.run("scripts/freeze-histories", "0.1.0") // its own check fails
	r.write("CHANGELOG.md", changelog)
	require.Contains(r.t, r.read(releasedList), "0.1.0/clean.json")
}

func TestCheckHistories(t *testing.T) {
	t.Parallel()
	t.Run("accepts_this_repository", func(t *testing.T) {
		out, err := exec.Command("../scripts/check-histories").CombinedOutput()
		require.NoError(t, err, string(out))
	})

	t.Run("accepts_what_a_release_leaves", func(t *testing.T) {
		t.Parallel()
		r := newReleased(t)
		require.Contains(t, r.must("scripts/check-histories"), "released versions: 1, compared with the checksums, 1 commits that changed them and 1 tags")
		r.write("workflows/testdata/histories/0.2.0/clean.json", "{}\n")
		r.must("scripts/check-histories")
		r.write("workflows/testdata/histories/0.2.0/clean.json", `{"events":[]}`+"\n") // not released: it may be recorded again
		r.must("scripts/check-histories")
		r.must("scripts/freeze-histories", "0.2.0")
		r.commit("release 0.2.0")
		r.git("tag", "v0.2.0")
		require.Contains(t, r.must("scripts/check-histories"), "released versions: 2")
	})

	dir := "workflows/testdata/histories/"
	for name, c := range map[string]struct {
		change func(r repository)
		why    []string
	}{
		"a_changed_file": {func(r repository) { r.write(oldHistory, "{}\n") }, []string{oldHistory, "has changed", "workflow.GetVersion"}},
		"a_removed_file": {func(r repository) { r.git("rm", "-q", oldHistory) }, []string{oldHistory, "is missing"}},
		"a_file_behind_a_link": {func(r repository) {
			r.git("mv", oldHistory, "other")
			require.NoError(r.t, os.Symlink(filepath.Join(r.dir, "other"), filepath.Join(r.dir, oldHistory)))
		}, []string{oldHistory, "is missing"}},
		"an_added_file":              {func(r repository) { r.write(dir+"0.1.0/new.json", "{}\n") }, []string{"new.json", "had no such file"}},
		"a_removed_version":          {func(r repository) { r.git("rm", "-rq", dir) }, []string{"lines of 0.1.0 differ"}},
		"a_directory_of_no_version":  {func(r repository) { r.write(dir+"0.0.9/clean.json", "{}\n") }, []string{"0.0.9", "neither a released version nor the current one"}},
		"a_changed_line_of_the_list": {func(r repository) { r.write(releasedList, strings.Replace(r.read(releasedList), "clean", "other", 1)) }, []string{"lines of 0.1.0 differ"}},
		"a_line_that_is_no_checksum": {func(r repository) { r.write(releasedList, r.read(releasedList)+"# 0.1.0\n") }, []string{"want lines of sha256sum"}},
		"a_file_added_with_its_line": {func(r repository) {
			sum := fmt.Sprintf("%x", sha256.Sum256([]byte(r.read(oldHistory))))
			r.write(dir+"0.1.0/new.json", r.read(oldHistory))
			r.write(releasedList, r.read(releasedList)+sum+"  0.1.0/new.json\n")
		}, []string{"lines of 0.1.0 differ from commit", "from tag v0.1.0"}},
		"files_that_are_recorded_again_with_their_lines": {repository.record, []string{"lines of 0.1.0 differ from commit", "from tag v0.1.0"}},
	} {
		for _, committed := range []bool{false, true} {
			t.Run("rejects_"+name+map[bool]string{true: "_in_a_commit"}[committed], func(t *testing.T) {
				t.Parallel()
				r := newReleased(t)
				c.change(r)
				if committed {
					r.commit("workflows: improve")
				}
				r.rejected(c.why...)
			})
		}
	}

	t.Run("rejects_what_was_changed_in_earlier_commits", func(t *testing.T) {
		t.Parallel()
		r := newReleased(t)
		r.git("tag", "-d", "v0.1.0")
		r.git("rm", "-rq", dir)
		r.commit("remove the histories")
		r.write("README.md", "text\n")
		r.commit("write a text")
		r.rejected("lines of 0.1.0 differ")
	})

	t.Run("rejects_it_on_a_branch_that_was_merged", func(t *testing.T) {
		t.Parallel()
		r := newReleased(t)
		r.git("tag", "-d", "v0.1.0")
		r.git("checkout", "-q", "-b", "other", "HEAD~2")
		r.write("README.md", "text\n")
		r.commit("before the release")
		r.git("merge", "-q", "-s", "ours", "-m", "keep the unreleased histories", "main")
		r.rejected("lines of 0.1.0 differ")
	})

	t.Run("rejects_it_in_a_history_that_was_rewritten_as_the_tag_remains", func(t *testing.T) {
		t.Parallel()
		r := newReleased(t)
		r.git("checkout", "-q", "--orphan", "rewritten")
		r.record()
		r.commit("begin again")
		r.rejected("from tag v0.1.0")
	})

	t.Run("rejects_a_tag_without_frozen_histories", func(t *testing.T) {
		t.Parallel()
		r := newRepository(t)
		r.git("tag", "v0.1.0")
		r.rejected("differ from tag v0.1.0")
	})

	t.Run("compares_what_a_shallow_clone_has", func(t *testing.T) {
		t.Parallel()
		origin := newReleased(t)
		clone := repository{t, filepath.Join(t.TempDir(), "clone")}
		origin.git("clone", "-q", "--depth", "1", "file://"+origin.dir, clone.dir)
		require.Contains(t, clone.must("scripts/check-histories"), "shallow clone")
		clone.write(oldHistory, "{}\n")
		clone.rejected("has changed")
		clone.git("checkout", "-q", oldHistory)
		clone.record()
		clone.commit("record again")
		clone.rejected("lines of 0.1.0 differ from commit")
	})

	t.Run("needs_no_git", func(t *testing.T) {
		t.Parallel()
		r := newReleased(t)
		require.NoError(t, os.RemoveAll(filepath.Join(r.dir, ".git")))
		r.must("scripts/check-histories")
		r.write(oldHistory, "{}\n")
		r.rejected("has changed")
	})
}

func TestFreezeHistories(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		version string
		change  func(r repository)
		why     string
	}{
		"a_released_version":          {"0.1.0", func(r repository) { r.must("scripts/freeze-histories", "0.1.0") }, "0.1.0 is released: its histories are frozen"},
		"a_version_that_is_not_next":  {"0.3.0", func(repository) {}, "0.3.0 is not the current version, 0.1.0"},
		"a_version_without_histories": {"0.1.0", func(r repository) { r.git("rm", "-rq", "workflows/testdata/histories/0.1.0") }, "record them first"},
	} {
		t.Run("rejects_"+name, func(t *testing.T) {
			t.Parallel()
			r := newRepository(t)
			c.change(r)
			out, err := r.run("scripts/freeze-histories", c.version)
			require.Error(t, err, out)
			require.Contains(t, out, c.why)
		})
	}
}

func TestRecordingDir(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir, err := recordingDir(root, "0.1.0")
	require.NoError(t, err)
	require.DirExists(t, dir)
	require.NoError(t, os.WriteFile(filepath.Join(root, "RELEASED"), []byte(strings.Repeat("0", 64)+"  0.1.0/clean.json\n"), 0o600))

	_, err = recordingDir(root, "0.1.0")
	require.ErrorContains(t, err, "0.1.0 is released")
	require.ErrorContains(t, err, "workflow.GetVersion")
	dir, err = recordingDir(root, "0.2.0")
	require.NoError(t, err)
	require.DirExists(t, dir)
}
