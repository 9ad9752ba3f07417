package failure

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/activities"
)

func TestReason_IsWhatTheWriterOfTheErrorWrote(t *testing.T) {
	written := temporal.NewNonRetryableApplicationError("the topic is gone", TopicMissing, errors.New("code 3"))
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"written":       {written, "the topic is gone"},
		"over Temporal": {activities.ExecutionError(t, written), "the topic is gone"},
		"cancelled":     {activities.ExecutionError(t, temporal.NewCanceledError()), "cancelled"},
		"late":          {temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_HEARTBEAT, nil), "not done in time (Heartbeat): Test timeout"},
		"late and why":  {temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, written), "not done in time (ScheduleToClose); the last attempt: the topic is gone"},
		"plain":         {errors.New("plain"), "plain"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, Reason(c.err)) })
	}
}
