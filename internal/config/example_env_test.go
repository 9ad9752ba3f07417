package config

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/joho/godotenv"
	"github.com/stretchr/testify/require"
)

// TestEnvExample loads .env.example: a file that one copies to .env must be accepted by every
// program.
func TestEnvExample(t *testing.T) {
	machine(t)
	file := filepath.Join(root, ".env.example")
	set, err := godotenv.Read(file)
	require.NoError(t, err)
	t.Cleanup(func() {
		for name := range set {
			require.NoError(t, os.Unsetenv(name))
		}
	})
	for name, value := range set {
		require.NotContains(t, value, "#", "%s: a comment became the value", name)
	}
	c, err := Load(file)
	require.NoError(t, err)
	require.Empty(t, c.AlarmHook)
	require.Empty(t, c.Schedules)
	require.Equal(t, []string{"change-me"}, c.APIKeys)

	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, example := range regexp.MustCompile(`(?m)^# ([A-Z][A-Z0-9_]+=.+)$`).FindAllStringSubmatch(string(text), -1) {
		_, err := godotenv.Unmarshal(example[1])
		require.NoError(t, err, example[1])
	}
}

// root is the root of the repository. It is absolute: tests change the directory.
var root = func() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}()
