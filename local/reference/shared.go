package reference

import (
	"os"
	"path/filepath"
	"runtime"
)

// SharedPosts returns the directory of real wire records with their expected answers, or "" where there is none, as in a user's clone.
// PINFLOW_SHARED names the directory above it; by default it is looked for beside the checkout.
func SharedPosts() string {
	shared := os.Getenv("PINFLOW_SHARED")
	if shared == "" {
		_, self, _, _ := runtime.Caller(0)
		shared = filepath.Join(filepath.Dir(self), "..", "..", "..", "shared")
	}
	dir := filepath.Join(shared, "data", "posts")
	if _, err := os.Stat(filepath.Join(dir, "expected.json")); err != nil {
		return ""
	}
	return dir
}
