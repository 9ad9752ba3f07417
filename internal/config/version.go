package config

import (
	"runtime/debug"
	"sync"
)

// Version is the version that this code is or will be released as: the first of CHANGELOG.md, and
// the directory of workflows/testdata/histories that its histories are recorded into.
const Version = "0.1.0"

// Commit is the git commit of the build, set by the linker as scripts/commit prints it. Builds of
// `go build` alone have the commit that Go records.
var Commit string

// shortCommit is how many digits of a commit a build id has.
const shortCommit = 7

// unknownCommit is the commit of a build that knows none, as that of `go run` and of tests.
const unknownCommit = "unknown"

// BuildID names the build, as in 0.1.0+abcdef1. It is the build id of the worker's version in
// Temporal, which accepts any text of up to 480 bytes that does not start with two underscores.
var BuildID = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	return buildID(Commit, info)
})

func buildID(commit string, info *debug.BuildInfo) string {
	if commit == "" {
		commit = recordedCommit(info)
	}
	return Version + "+" + commit
}

// recordedCommit returns the commit that Go records in a build.
func recordedCommit(info *debug.BuildInfo) string {
	if info == nil {
		return unknownCommit
	}
	var revision, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(shortCommit, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return unknownCommit
	}
	return revision + dirty
}
