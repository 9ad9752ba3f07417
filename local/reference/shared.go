package reference

import (
	"os"
	"path/filepath"
	"runtime"
)

// SharedPosts returns the directory of real records with their expected answers, or "" if it does
// not exist, as in a user's clone. PINFLOW_SHARED is its parent directory, by default beside the
// checkout.
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
