package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// machine is a machine without settings: an empty directory, environment and state directory.
func machine(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if anyPrefix(name) {
			t.Setenv(name, "") // restores it after the test
			require.NoError(t, os.Unsetenv(name))
		}
	}
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Cleanup(func() {
		for _, name := range []string{"TEMPORAL_ADDRESS", "PINFLOW_BUCKET", "AWS_ACCESS_KEY_ID", "DATABRICKS_TOKEN"} {
			require.NoError(t, os.Unsetenv(name))
		}
	})
}

func anyPrefix(name string) bool {
	return strings.HasPrefix(name, "PINFLOW_") || strings.HasPrefix(name, "TEMPORAL_") || strings.HasPrefix(name, "DATABRICKS_") || strings.HasPrefix(name, "AWS_")
}

// stack is the data directory of a running stack.
func stack(t *testing.T, dir, address string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, StackFile), []byte("TEMPORAL_ADDRESS="+address+"\nPINFLOW_BUCKET=embedded\nAWS_ACCESS_KEY_ID=of-the-stack\nDATABRICKS_TOKEN=of-the-stack\n"), 0o600))
	lock, err := os.Create(filepath.Join(dir, StackLock))
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	t.Cleanup(func() { lock.Close() })
	return dir
}

func TestLoadOperator(t *testing.T) {
	t.Run("finds_the_stack_that_was_started_last", func(t *testing.T) {
		machine(t)
		first, second := stack(t, t.TempDir(), "127.0.0.1:1"), stack(t, t.TempDir(), "127.0.0.1:2")
		t.Setenv("PINFLOW_API_KEYS", "mine") // selects no system
		withdrawFirst, err := AnnounceStack(first)
		require.NoError(t, err)
		withdrawSecond, err := AnnounceStack(second)
		require.NoError(t, err)
		c, err := LoadOperator()
		require.NoError(t, err)
		require.Equal(t, second, c.Stack)
		require.Equal(t, "embedded", c.Bucket)
		require.Equal(t, "127.0.0.1:2", os.Getenv("TEMPORAL_ADDRESS"))

		require.NoError(t, withdrawFirst())
		require.Equal(t, second, runningStack(), "the announcement of another stack remains")
		require.NoError(t, withdrawSecond())
		require.Empty(t, runningStack())
		require.NoError(t, withdrawSecond())
	})

	t.Run("ignores_a_stack_that_was_killed", func(t *testing.T) {
		machine(t)
		dir := stack(t, t.TempDir(), "127.0.0.1:1")
		_, err := AnnounceStack(dir)
		require.NoError(t, err)
		require.NoError(t, os.Remove(filepath.Join(dir, StackLock))) // its process is gone, its settings are not
		require.NoError(t, os.WriteFile(filepath.Join(dir, StackLock), nil, 0o600))
		c, err := LoadOperator()
		require.NoError(t, err)
		require.Empty(t, c.Stack)
	})

	t.Run("does_not_send_credentials_of_other_systems_to_the_stack", func(t *testing.T) {
		machine(t)
		t.Setenv("AWS_ACCESS_KEY_ID", "of-production")
		t.Setenv("AWS_SESSION_TOKEN", "of-production")
		t.Setenv("AWS_PROFILE", "production")
		t.Setenv("DATABRICKS_TOKEN", "of-production")
		_, err := AnnounceStack(stack(t, t.TempDir(), "127.0.0.1:1"))
		require.NoError(t, err)
		c, err := LoadOperator()
		require.NoError(t, err)
		require.NotEmpty(t, c.Stack)
		require.Equal(t, "of-the-stack", os.Getenv("AWS_ACCESS_KEY_ID"))
		require.Equal(t, "of-the-stack", os.Getenv("DATABRICKS_TOKEN"))
		require.Empty(t, os.Getenv("AWS_SESSION_TOKEN"))
		require.Empty(t, os.Getenv("AWS_PROFILE"))
	})

	t.Run("reads_only_the_named_files", func(t *testing.T) {
		machine(t)
		t.Setenv(StackVariable, stack(t, t.TempDir(), "127.0.0.1:1"))
		file := filepath.Join(t.TempDir(), "settings")
		require.NoError(t, os.WriteFile(file, []byte("PINFLOW_BUCKET=named\n"), 0o600))
		c, err := LoadOperator(file)
		require.NoError(t, err)
		require.Empty(t, c.Stack)
		require.Equal(t, "named", c.Bucket)
		require.Empty(t, os.Getenv("TEMPORAL_ADDRESS"))
	})

	t.Run("prefers_other_settings_to_a_running_stack", func(t *testing.T) {
		for name, set := range map[string]func(t *testing.T){
			"variable": func(t *testing.T) { t.Setenv("TEMPORAL_ADDRESS", "prod:7233") },
			".env": func(t *testing.T) {
				require.NoError(t, os.WriteFile(".env", []byte("TEMPORAL_ADDRESS=prod:7233\n"), 0o600))
			},
		} {
			t.Run(name, func(t *testing.T) {
				machine(t)
				set(t)
				_, err := AnnounceStack(stack(t, t.TempDir(), "127.0.0.1:1"))
				require.NoError(t, err)
				c, err := LoadOperator()
				require.NoError(t, err)
				require.Empty(t, c.Stack)
				require.Equal(t, "prod:7233", os.Getenv("TEMPORAL_ADDRESS"))
				require.Equal(t, "pinflow", c.Bucket)
			})
		}
	})

	t.Run("uses_the_stack_of_the_variable", func(t *testing.T) {
		machine(t)
		dir := stack(t, t.TempDir(), "127.0.0.1:1")
		require.NoError(t, os.WriteFile(".env", []byte("TEMPORAL_ADDRESS=prod:7233\n"), 0o600))
		t.Setenv(StackVariable, dir)
		c, err := LoadOperator()
		require.NoError(t, err)
		require.Equal(t, dir, c.Stack)

		t.Setenv(StackVariable, t.TempDir())
		_, err = LoadOperator()
		require.ErrorContains(t, err, "no embedded stack runs there")
	})

	t.Run("says_that_it_uses_a_stack_only_if_it_does", func(t *testing.T) {
		machine(t)
		t.Setenv("TEMPORAL_ADDRESS", "prod:7233")
		stack(t, defaultStack, "127.0.0.1:1")
		c, err := LoadOperator()
		require.NoError(t, err)
		require.Empty(t, c.Stack)
		require.Equal(t, "embedded", c.Bucket, "what is not set comes from the stack, as for all programs")
	})
}
