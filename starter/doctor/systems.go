package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/notebookpush"
)

func (d *Doctor) bucket(ctx context.Context) []Finding {
	return examine("S3", check{"bucket", func() (string, error) {
		objects, err := d.Systems.Bucket(ctx, d.Settings)
		if err != nil {
			return "", s3.Classify(err)
		}
		body := []byte(d.Now().UTC().Format(time.RFC3339) + "\n")
		if err := objects.Put(ctx, bucket.PutInput{Key: "doctor/last-check", Body: body}); err != nil {
			return "", s3.Classify(err)
		}
		return d.Settings.RawPath() + " is writable", nil
	}})
}

func (d *Doctor) databricks(ctx context.Context) []Finding {
	ws, err := d.Systems.Workspace()
	if err != nil {
		return examine("Databricks", check{"settings", func() (string, error) { return "", err }})
	}
	return examine("Databricks",
		check{"token", func() (string, error) {
			user, err := ws.User(ctx)
			return fmt.Sprintf("%s at %s", user, ws.Host), databricks.Classify(err)
		}},
		check{"notebooks", func() (string, error) {
			changes, err := notebookpush.Compare(ctx, ws.Notebooks, d.Settings.Notebooks, d.Notebooks)
			if err != nil {
				return "", databricks.Classify(err)
			}
			if n := notebookpush.Differing(changes); n > 0 {
				return "", fmt.Errorf("%d of %d in %s differ from this build: see `starter notebooks diff`, run `starter notebooks push`", n, len(changes), d.Settings.Notebooks)
			}
			return fmt.Sprintf("all %d in %s are those of this build", len(changes), d.Settings.Notebooks), nil
		}},
		check{"schema", func() (string, error) { return d.schema(ctx, ws) }},
	)
}

func (d *Doctor) gateway(ctx context.Context) []Finding {
	base := strings.TrimSuffix(d.Settings.GatewayURL, "/")
	return examine("gateway",
		check{"healthz", func() (string, error) {
			answer, err := d.get(ctx, base+"/healthz")
			if err != nil {
				return "", &fault.Error{Kind: fault.Unreachable, What: "cannot reach the gateway at " + base, Next: "start it with `bin/gateway`, or set PINFLOW_GATEWAY_URL", Err: err}
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(io.LimitReader(answer.Body, 500))
			if err != nil || answer.StatusCode != http.StatusOK {
				return "", fmt.Errorf("%s is unhealthy (%s): %s", base, answer.Status, strings.TrimSpace(string(body)))
			}
			return base, nil
		}},
		check{"API key", func() (string, error) {
			if len(d.Settings.APIKeys) == 0 {
				return "", errors.New("PINFLOW_API_KEYS is empty: set it to a key of the gateway, or `starter emulate` cannot post")
			}
			answer, err := d.get(ctx, base+"/topics")
			if err != nil {
				return "", err
			}
			answer.Body.Close()
			if answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusUnauthorized {
				return "", fmt.Errorf("the gateway rejected the first key of PINFLOW_API_KEYS (%s): set it to a key of the gateway", answer.Status)
			}
			if answer.StatusCode != http.StatusOK {
				return fmt.Sprintf("not checked: the gateway responded with %s", answer.Status), nil
			}
			return "accepted", nil
		}},
	)
}

// alarms reports whether alarms are posted. The worker has settings of its own, which are
// not checked.
func (d *Doctor) alarms(context.Context) []Finding {
	return examine("alarms", check{"hook", func() (string, error) {
		if d.Settings.AlarmHook == "" {
			return "none: overdue, failed and held runs are only in the worker's metrics and log; set PINFLOW_ALARM_HOOK to post them", nil
		}
		hook, err := url.Parse(d.Settings.AlarmHook)
		if err != nil {
			return "", errors.New("PINFLOW_ALARM_HOOK is not a URL")
		}
		return "the worker posts alarms to " + hook.Host, nil
	}})
}
