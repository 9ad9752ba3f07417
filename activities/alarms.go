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
	// alarmLease is how long a worker that has said it posts an alarm is left alone. It tries each minute, so it has gone when its last try
	// is three minutes old.
	alarmLease = 3 * time.Minute
)

// Alarm is what is posted to the hook, as JSON. Services that take a message as "text", as Slack does, show that.
type Alarm struct {
	DAG  string     `json:"dag"`
	Date dates.Date `json:"date"`
	// Due is when the date's run had to have ended; State how far it is.
	Due   time.Time `json:"due"`
	State string    `json:"state"`
	// Text says it all in one sentence; UI is the page of the run.
	Text string `json:"text"`
	UI   string `json:"ui"`
}

// Alarms posts each alarm to the hook once, however many workers want to, and after restarts.
//
// A worker that is about to post an alarm claims it with an object that only one can write; when the hook has taken it, the worker writes
// alarms/<dag>/<date>.json, after which nobody posts it again. A claim that its owner has not renewed for some minutes is void: the owner has
// gone, and the next one claims it. So an alarm is never lost, as it would be if the claim alone counted. It comes a second time only if a
// worker dies, or the bucket, between the hook's answer and the object that records it: a second message is the lesser evil.
type Alarms struct {
	Objects bucket.Objects
	// Hook is the URL; it is a secret, which errors do not show.
	Hook string
	HTTP *http.Client
	// Owner is this worker's own name, another one after each start.
	Owner string
	Now   func() time.Time
}

// Raised is what became of an alarm.
type Raised string

// What may become of an alarm.
const (
	RaisedNow       Raised = "now"       // the hook has taken it
	RaisedBefore    Raised = "before"    // it was taken earlier
	RaisedElsewhere Raised = "elsewhere" // another worker is at it
)

// alarmClaim is the content of a claim.
type alarmClaim struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Raise posts the alarm unless that has been done, or another worker is doing it. After an error it is to be called again, soon.
func (a *Alarms) Raise(ctx context.Context, alarm Alarm) (Raised, error) {
	sent := alarmKey(alarm.DAG, alarm.Date)
	claim, there, err := a.claims(ctx, alarm)
	switch {
	case err != nil:
		return "", err
	case there == RaisedBefore, there == RaisedElsewhere:
		return there, nil
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

// claimed is the claim that is to be written; ours says that it renews one of our own.
type claimed struct {
	key  string
	ours bool
}

// claims reads how far the alarm is: posted before, in other hands, or else which claim is to be written.
func (a *Alarms) claims(ctx context.Context, alarm Alarm) (claimed, Raised, error) {
	sent := alarmKey(alarm.DAG, alarm.Date)
	objects, err := a.Objects.List(ctx, bucket.ListInput{Prefix: strings.TrimSuffix(sent, ".json")})
	if err != nil {
		return claimed{}, "", fmt.Errorf("look for alarm %s: %w", sent, err)
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
	case !readable: // there is nobody to be left alone
		return next, "", nil
	case claim.By == a.Owner:
		return claimed{key: claimKey(alarm, last), ours: true}, "", nil
	case a.Now().Sub(claim.At) < alarmLease:
		return claimed{}, RaisedElsewhere, nil
	}
	return next, "", nil
}

// post sends the alarm. An answer other than 2xx is an error.
func (a *Alarms) post(ctx context.Context, body []byte) error {
	ctx, done := context.WithTimeout(ctx, alarmTimeout)
	defer done()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Hook, bytes.NewReader(body))
	if err != nil {
		return errors.New("PINFLOW_ALARM_HOOK is no URL")
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := a.HTTP.Do(request)
	if err != nil {
		var detail *url.Error
		if errors.As(err, &detail) { // its text has the URL
			err = detail.Err
		}
		return fmt.Errorf("the hook at %s cannot be reached: %w", request.URL.Host, err)
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 200)) // only to be shown
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("the hook at %s answers %s: %s", request.URL.Host, answer.Status, strings.TrimSpace(string(said)))
	}
	return nil
}

// alarmKey is the object of an alarm that was posted: alarms/<dag>/<date>.json. Claims stand beside it as <date>.claim-<n>.json.
func alarmKey(dag string, date dates.Date) string {
	return "alarms/" + dag + "/" + string(date) + ".json"
}

func claimKey(alarm Alarm, n int) string {
	return fmt.Sprintf("%s.claim-%d.json", strings.TrimSuffix(alarmKey(alarm.DAG, alarm.Date), ".json"), n)
}

// claimNumber is the number of a claim by its key.
func claimNumber(alarm Alarm, key string) (int, bool) {
	parts := strings.Split(path.Base(key), ".")
	if len(parts) != 3 || !slices.Equal([]string{parts[0], parts[2]}, []string{string(alarm.Date), "json"}) {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimPrefix(parts[1], "claim-"))
	return n, err == nil
}
