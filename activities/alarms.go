package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
)

const (
	// alarmTimeout limits one POST to the hook.
	alarmTimeout = 10 * time.Second
	// alarmLease is how long a claim keeps other workers from posting an alarm. The owner of a
	// claim renews it every minute while it retries.
	alarmLease = 3 * time.Minute
)

// Alarm is the JSON that is posted to the hook. Slack and similar services show the field text.
type Alarm struct {
	DAG  string     `json:"dag"`
	Date dates.Date `json:"date"`
	// Deadline is when the date's run had to have ended. State is the run's; "none" if there is
	// none.
	Deadline time.Time `json:"deadline"`
	State    string    `json:"state"`
	// Text is the whole alarm as text. UI is the page of the run in the Web UI.
	Text string `json:"text"`
	UI   string `json:"ui"`
}

// Alarms posts each alarm to the hook once, however many workers there are, and across restarts.
//
// A worker claims an alarm with an object that only one worker can write, posts the alarm, and then
// writes alarms/<dag>/<date>.json, after which no worker posts it again. A claim expires if its
// owner does not renew it, and the next worker claims the alarm, so that an alarm is never lost. It
// is posted twice only if a worker dies, or the bucket fails, after the hook's answer and before
// the object is written.
type Alarms struct {
	Objects bucket.Objects
	// Hook is the URL. It is a secret: errors do not contain it.
	Hook string
	HTTP *http.Client
	// Owner identifies this process: it is different after each start.
	Owner string
	Now   func() time.Time
}

// Raised is the result of Raise.
type Raised string

// The results of Raise.
const (
	RaisedNow       Raised = "now"       // the hook accepted it
	RaisedBefore    Raised = "before"    // the hook accepted it earlier
	RaisedElsewhere Raised = "elsewhere" // another worker is posting it
)

// alarmClaim is the content of a claim.
type alarmClaim struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Raise posts the alarm, unless it was posted before or another worker is posting it. After an
// error the caller calls it again within alarmLease.
func (a *Alarms) Raise(ctx context.Context, alarm Alarm) (Raised, error) {
	sent := alarmKey(alarm.DAG, alarm.Date)
	claim, raised, err := a.claims(ctx, alarm)
	switch {
	case err != nil:
		return "", err
	case raised != "":
		return raised, nil
	}
	body, err := json.Marshal(alarmClaim{By: a.Owner, At: a.Now().UTC()})
	if err != nil {
		return "", err
	}
	err = a.Objects.Put(ctx, bucket.PutInput{Key: claim.key, Body: body, OnlyNew: !claim.ours})
	if errors.Is(err, bucket.ErrExists) {
		return RaisedElsewhere, nil
	}
	if err != nil {
		return "", fmt.Errorf("claim the alarm %s: %w", sent, err)
	}
	if body, err = json.Marshal(alarm); err != nil {
		return "", err
	}
	if err := a.post(ctx, body); err != nil {
		return "", fmt.Errorf("alarm about %s of %s: %w", alarm.DAG, alarm.Date, err)
	}
	if err := a.Objects.Put(ctx, bucket.PutInput{Key: sent, Body: body, OnlyNew: true}); err != nil && !errors.Is(err, bucket.ErrExists) {
		return "", fmt.Errorf("record that alarm %s was posted: %w", sent, err)
	}
	return RaisedNow, nil
}

// claimed is the claim to write. ours reports whether it renews a claim of this worker.
type claimed struct {
	key  string
	ours bool
}

// claims returns the claim to write, or who has raised the alarm.
func (a *Alarms) claims(ctx context.Context, alarm Alarm) (claimed, Raised, error) {
	sent := alarmKey(alarm.DAG, alarm.Date)
	objects, err := a.Objects.List(ctx, bucket.ListInput{Prefix: strings.TrimSuffix(sent, ".json")})
	if err != nil {
		return claimed{}, "", fmt.Errorf("list alarm %s: %w", sent, err)
	}
	last := 0
	for _, object := range objects {
		if object.Key == sent {
			return claimed{}, RaisedBefore, nil
		}
		if n, ok := claimNumber(alarm, object.Key); ok {
			last = max(last, n)
		}
	}
	next := claimed{key: claimKey(alarm, last+1)}
	if last == 0 {
		return next, "", nil
	}
	body, err := a.Objects.Get(ctx, claimKey(alarm, last))
	if err != nil {
		return claimed{}, "", fmt.Errorf("read the claim of alarm %s: %w", sent, err)
	}
	var claim alarmClaim
	readable := json.Unmarshal(body, &claim) == nil
	switch {
	case !readable: // without an owner it cannot be renewed
		return next, "", nil
	case claim.By == a.Owner:
		return claimed{key: claimKey(alarm, last), ours: true}, "", nil
	case a.Now().Sub(claim.At) < alarmLease:
		return claimed{}, RaisedElsewhere, nil
	}
	return next, "", nil
}

// post sends the alarm. A status other than 2xx is an error.
func (a *Alarms) post(ctx context.Context, body []byte) error {
	ctx, done := context.WithTimeout(ctx, alarmTimeout)
	defer done()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Hook, bytes.NewReader(body))
	if err != nil {
		return errors.New("PINFLOW_ALARM_HOOK is not a URL")
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := a.HTTP.Do(request)
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

// alarmKey returns the key of an alarm that was posted: alarms/<dag>/<date>.json. Its claims are
// <date>.claim-<n>.json.
func alarmKey(dag string, date dates.Date) string {
	return "alarms/" + dag + "/" + string(date) + ".json"
}

func claimKey(alarm Alarm, n int) string {
	return fmt.Sprintf("%s.claim-%d.json", strings.TrimSuffix(alarmKey(alarm.DAG, alarm.Date), ".json"), n)
}

// claimNumber returns the number in the key of a claim. ok is false for other keys.
func claimNumber(alarm Alarm, key string) (n int, ok bool) {
	parts := strings.Split(path.Base(key), ".")
	if len(parts) != 3 || !slices.Equal([]string{parts[0], parts[2]}, []string{string(alarm.Date), "json"}) {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimPrefix(parts[1], "claim-"))
	return n, err == nil
}
