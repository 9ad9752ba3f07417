package alarm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Format is the form of the messages to the hook.
type Format string

// The formats.
const (
	// JSON posts the Alarm itself.
	JSON Format = "json"
	// Slack posts what a Slack incoming webhook takes.
	Slack Format = "slack"
)

// slackHost is the host of Slack's incoming webhooks.
const slackHost = "hooks.slack.com"

// FormatOf returns the format of a hook whose settings name none.
func FormatOf(hook string) Format {
	if parsed, err := url.Parse(hook); err == nil && parsed.Hostname() == slackHost {
		return Slack
	}
	return JSON
}

// postTimeout limits one POST to the hook.
const postTimeout = 10 * time.Second

// Hook is where alarms are posted.
type Hook struct {
	// URL is a secret: errors do not contain it.
	URL    string
	Format Format
	HTTP   *http.Client
}

// Post sends the alarm. A status other than 2xx is an error.
func (h *Hook) Post(ctx context.Context, alarm Alarm) error {
	body, err := h.Format.encode(alarm)
	if err != nil {
		return err
	}
	ctx, done := context.WithTimeout(ctx, postTimeout)
	defer done()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("PINFLOW_ALARM_HOOK is not a URL")
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := h.HTTP.Do(request)
	if err != nil {
		var detail *url.Error
		if errors.As(err, &detail) { // its text contains the URL
			err = detail.Err
		}
		return fmt.Errorf("cannot reach the hook at %s: %w", request.URL.Host, err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 200)) // for the error only
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("the hook at %s rejected the alarm with %s: %s", request.URL.Host, answer.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

// encode returns the body of the request.
func (f Format) encode(alarm Alarm) ([]byte, error) {
	if f == Slack {
		return json.Marshal(map[string]string{"text": slackText(alarm)})
	}
	return json.Marshal(alarm)
}

// slackEscapes are the characters that Slack's mrkdwn reserves.
var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackText returns the alarm as Slack's mrkdwn.
func slackText(a Alarm) string {
	mark := ":red_circle:"
	switch {
	case a.State == Resolved:
		mark = ":large_green_circle:"
	case a.Kind == Warning || a.Kind == Held:
		mark = ":large_yellow_circle:"
	}
	text := fmt.Sprintf("%s *%s* (%s)\n%s", mark, slackEscapes.Replace(a.Title()), slackEscapes.Replace(a.Deployment), slackEscapes.Replace(a.sentence()))
	if a.Command != "" {
		text += fmt.Sprintf("\nNext: `%s`", slackEscapes.Replace(a.Command))
	}
	return text + fmt.Sprintf("\n<%s|Web UI>", a.UI)
}
