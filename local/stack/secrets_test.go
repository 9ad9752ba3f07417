package stack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/joho/godotenv"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/config"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	t.Run("are_random_and_outlive_the_stack", func(t *testing.T) {
		t.Parallel()
		data, other := t.TempDir(), t.TempDir()
		first, err := loadSecrets(data)
		require.NoError(t, err)
		again, err := loadSecrets(data)
		require.NoError(t, err)
		require.Equal(t, first, again, "a worker goes on when the stack is started again")
		elsewhere, err := loadSecrets(other)
		require.NoError(t, err)
		for name, value := range elsewhere.variables() {
			require.GreaterOrEqual(t, len(*value), 32, name)
			require.NotEqual(t, *value, *first.variables()[name])
		}
		requirePrivate(t, filepath.Join(data, secretsFile))
	})

	t.Run("are_in_the_settings_which_only_the_user_reads", func(t *testing.T) {
		t.Parallel()
		data := t.TempDir()
		file := filepath.Join(data, config.StackFile)
		require.NoError(t, os.WriteFile(file+".new", nil, 0o666), "left by a stack that was killed")
		own, err := loadSecrets(data)
		require.NoError(t, err)
		require.NoError(t, writeSettings(data, Ports{}, "http://127.0.0.1:8090", own))
		requirePrivate(t, file)
		settings, err := godotenv.Read(file)
		require.NoError(t, err)
		for name, value := range own.variables() {
			require.Equal(t, *value, settings[name])
		}
	})

	t.Run("an_unreadable_file_is_named_without_its_content", func(t *testing.T) {
		t.Parallel()
		data := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(data, secretsFile), []byte("DATABRICKS_TOKEN \"hush"), 0o600))
		_, err := loadSecrets(data)
		require.ErrorContains(t, err, filepath.Join(data, secretsFile))
		require.NotContains(t, err.Error(), "hush")
	})
}

func TestMakePrivate(t *testing.T) {
	t.Parallel()
	t.Run("closes_the_directories_of_an_older_stack", func(t *testing.T) {
		t.Parallel()
		data := filepath.Join(t.TempDir(), "state")
		require.NoError(t, os.MkdirAll(filepath.Join(data, "kafka"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(data, config.StackLock), nil, 0o644))
		require.NoError(t, makePrivate(data))
		requirePrivate(t, data)
		for _, part := range parts {
			requirePrivate(t, filepath.Join(data, part))
		}
	})

	t.Run("leaves_a_directory_of_other_files_as_it_is", func(t *testing.T) {
		t.Parallel()
		data := t.TempDir()
		require.NoError(t, os.Chmod(data, 0o755))
		require.NoError(t, makePrivate(data))
		info, err := os.Stat(data)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o755), info.Mode().Perm())
		requirePrivate(t, filepath.Join(data, "s3"))
	})
}

func requirePrivate(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077, path)
}
