package config

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
)

// file writes settings, and takes what they set out of the environment again after the test.
func file(t *testing.T, name, content string) string {
	t.Helper()
	for _, set := range regexp.MustCompile(`(?m)^(\w+)=`).FindAllStringSubmatch(content, -1) {
		if _, there := os.LookupEnv(set[1]); !there {
			t.Cleanup(func() { require.NoError(t, os.Unsetenv(set[1])) })
		}
	}
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestLoad(t *testing.T) {
	t.Run("environment_comes_before_files_and_earlier_before_later", func(t *testing.T) {
		t.Setenv("PINFLOW_BUCKET", "of-the-environment")
		c, err := Load(file(t, "a", "PINFLOW_BUCKET=a\nPINFLOW_SCHEMA=a\n"), file(t, "b", "PINFLOW_SCHEMA=b\nPINFLOW_USER_ID=b\nPINFLOW_API_KEYS=x,y\n"))
		require.NoError(t, err)
		require.Equal(t, "of-the-environment", c.Bucket)
		require.Equal(t, "a", c.Schema)
		require.Equal(t, "b.pin", c.Topic("pin"))
		require.Equal(t, "Pinterest_data", c.Topic(run.Post), "it has no prefix")
		require.Equal(t, []string{"x", "y"}, c.APIKeys)
		require.Equal(t, "s3://of-the-environment/pinflow", c.RawPath())
	})

	// Whoever changes only the name of the deployment gets tables and notebooks of its own.
	t.Run("a_deployment_has_a_schema_and_notebooks_of_its_own", func(t *testing.T) {
		for settings, want := range map[string][]string{
			"": {"pinflow", "pinterest", "/Shared/pinflow", "s3://pinflow/pinflow"},
			"PINFLOW_DEPLOYMENT=pinflow-dev\nPINFLOW_SCHEMA=\n":                                       {"pinflow-dev", "pinflow_dev", "/Shared/pinflow-dev", "s3://pinflow/pinflow-dev"},
			"PINFLOW_DEPLOYMENT=dev\nPINFLOW_SCHEMA=main.dev\nPINFLOW_NOTEBOOKS=/Users/ann/pinflow\n": {"dev", "main.dev", "/Users/ann/pinflow", "s3://pinflow/dev"},
		} {
			t.Run(settings, func(t *testing.T) {
				c, err := Load(file(t, "settings", settings))
				require.NoError(t, err)
				require.Equal(t, want, []string{string(c.Deployment), c.Schema, c.Notebooks, c.RawPath()})
			})
		}
	})

	t.Run("a_named_file_must_be_there", func(t *testing.T) {
		_, err := Load(filepath.Join(t.TempDir(), "none"))
		require.ErrorContains(t, err, "none")
		t.Chdir(t.TempDir())
		_, err = Load()
		require.NoError(t, err, "the default files need not be there")
	})

	t.Run("posts_have_a_topic_of_their_own", func(t *testing.T) {
		_, err := Load(file(t, "posts", "PINFLOW_USER_ID=u\nPINFLOW_POSTS_TOPIC=u.geo\n"))
		require.ErrorContains(t, err, `PINFLOW_POSTS_TOPIC="u.geo": want a topic of its own: this is that of geo records`)
	})

	t.Run("names_all_mistakes_at_once", func(t *testing.T) {
		_, err := Load(file(t, "bad", "PINFLOW_DEPLOYMENT=Dev.2\nPINFLOW_USER_ID=a/b\nPINFLOW_POSTS_TOPIC=all posts\nPINFLOW_KAFKA_PARTITIONS=0\nPINFLOW_INVALID_FOLLOWERS=maybe\nPINFLOW_WORKER_VERSIONING=true\nPINFLOW_REPORTS=yes\nPINFLOW_LOST_RECORDS=ignore\n"))
		for _, name := range []string{"PINFLOW_DEPLOYMENT=\"Dev.2\": want lower-case letters", "PINFLOW_USER_ID", "PINFLOW_POSTS_TOPIC", "PINFLOW_KAFKA_PARTITIONS", "PINFLOW_INVALID_FOLLOWERS", "PINFLOW_WORKER_VERSIONING", "PINFLOW_REPORTS", "PINFLOW_LOST_RECORDS=\"ignore\": want fail or warn"} {
			require.ErrorContains(t, err, name)
		}
	})

	t.Run("does_not_show_the_alarm_hook", func(t *testing.T) {
		for _, hook := range []string{"hooks.example.com/hush", "ftp://hooks.example.com/hush", "http://", "https://%zz/hush"} {
			t.Setenv("PINFLOW_ALARM_HOOK", hook)
			_, err := Load(file(t, "none", ""))
			require.ErrorContains(t, err, "PINFLOW_ALARM_HOOK")
			require.NotContains(t, err.Error(), "hush", "whoever has the URL can post")
		}
		t.Setenv("PINFLOW_ALARM_HOOK", "https://hooks.example.com/hush")
		c, err := Load(file(t, "none", ""))
		require.NoError(t, err)
		require.Equal(t, "https://hooks.example.com/hush", c.AlarmHook)
	})

	t.Run("settings_override_the_schedules_of_da_gs", func(t *testing.T) {
		c, err := Load(file(t, "none", ""))
		require.NoError(t, err)
		require.Empty(t, c.Schedules, "each DAG has its own schedule")
		require.Empty(t, c.ScheduleTimeZone)
		c, err = Load(file(t, "some", "PINFLOW_SCHEDULES=\"pinterest-daily=30 2 * * *;weekly=0 3 * * 1\"\nPINFLOW_SCHEDULE_TIMEZONE=Asia/Tokyo\n"))
		require.NoError(t, err)
		require.Equal(t, Schedules{"pinterest-daily": "30 2 * * *", "weekly": "0 3 * * 1"}, c.Schedules)
		require.Equal(t, "Asia/Tokyo", c.ScheduleTimeZone)
	})
}
