package alarm

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFormat(t *testing.T) {
	t.Run("is_slack_for_slacks_host_alone", func(t *testing.T) {
		for hook, want := range map[string]Format{
			"https://hooks.slack.com/services/T0/B0/x": Slack, "https://hooks.slack.com.example.com/x": JSON, "https://example.com/hooks.slack.com": JSON, "://": JSON,
		} {
			require.Equal(t, want, FormatOf(hook), hook)
		}
	})

	t.Run("json_is_the_alarm", func(t *testing.T) {
		body, err := JSON.encode(raisedAlarm())
		require.NoError(t, err)
		require.JSONEq(t, `{"id": "dev/pinterest-daily/2022-10-18/overdue/1", "kind": "overdue", "state": "raised", "deployment": "dev", "dag": "pinterest-daily",
			"date": "2022-10-18", "reason": "no run has ended", "deadline": "2022-10-19T06:00:00Z", "ui": "http://ui", "command": "starter run 2022-10-18",
			"text": "pinterest-daily of 2022-10-18 is overdue: no run has ended. Next: `+"`starter run 2022-10-18`"+`."}`, string(body))
	})

	t.Run("slack_gets_its_own_text", func(t *testing.T) {
		a := raisedAlarm()
		a.Reason = "a < b & c > d"
		body, err := Slack.encode(a)
		require.NoError(t, err)
		var message map[string]string
		require.NoError(t, json.Unmarshal(body, &message))
		require.Equal(t, map[string]string{"text": ":red_circle: *pinterest-daily of 2022-10-18 is overdue* (dev)\na &lt; b &amp; c &gt; d.\nNext: `starter run 2022-10-18`\n<http://ui|Web UI>"}, message)
		require.Equal(t, ":large_green_circle: *Resolved: pinterest-daily of 2022-10-18 is no longer overdue* (dev)\nit has run.\n<http://ui|Web UI>", slackText(a.resolve("it has run")))
	})
}
