package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersion(t *testing.T) {
	t.Run("is_the_first_of_the_changelog", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
		require.NoError(t, err)
		first := regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+)`).FindStringSubmatch(string(text))
		require.NotNil(t, first)
		require.Equal(t, first[1], Version)
	})
}

func TestBuildID(t *testing.T) {
	vcs := func(revision, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified}}}
	}
	for name, c := range map[string]struct {
		commit string
		info   *debug.BuildInfo
		want   string
	}{
		"the linker's commit":           {"abcdef1", vcs("0123456789", "true"), Version + "+abcdef1"},
		"the commit that Go records":    {"", vcs("0123456789", "false"), Version + "+0123456"},
		"a commit with changes":         {"", vcs("0123456789", "true"), Version + "+0123456-dirty"},
		"a build without git":           {"", &debug.BuildInfo{}, Version + "+unknown"},
		"a build without information":   {"", nil, Version + "+unknown"},
		"a commit that is a few digits": {"", vcs("012", "false"), Version + "+012"},
	} {
		require.Equal(t, c.want, buildID(c.commit, c.info), name)
	}
}

func TestCommit(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=ann", "-c", "user.email=ann@example.com"}, args...)...)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	commit := func() string {
		cmd := exec.Command(filepath.Join(root, "scripts", "commit"))
		cmd.Dir = dir
		out, err := cmd.Output()
		require.NoError(t, err)
		return string(out[:len(out)-1])
	}
	require.Equal(t, "unknown", commit(), "it is no repository")
	git("init", "-q")
	write(".gitignore", "bin\n")
	write("a.go", "package a\n")
	git("add", "-A")
	git("commit", "-q", "-m", "begin")
	clean := commit()
	require.Equal(t, git("rev-parse", "--short=7", "HEAD"), clean+"\n")
	write("bin", "ignored")
	require.Equal(t, clean, commit(), "ignored files change nothing")

	write("b.go", "package a\n")
	added := commit()
	require.Regexp(t, "^"+clean+`-dirty\.[0-9a-f]{7}$`, added)
	require.Equal(t, added, commit(), "the same files are the same build")
	write("b.go", "package a // changed\n")
	require.NotEqual(t, added, commit(), "other changes are another build")
	require.Contains(t, git("status", "--porcelain"), "?? b.go", "the index is as it was")
}
