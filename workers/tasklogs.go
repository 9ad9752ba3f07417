package main

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/workflows/steps"
)

// taskLogs adds DAG, logical date, task and try to the lines that activities log, and logs the end
// of each activity with its input and result. With shipping, the lines of activities that work for
// a task are also written to the bucket, for `starter logs`.
type taskLogs struct {
	interceptor.WorkerInterceptorBase
	shipping *shipping
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (t *taskLogs) InterceptActivity(ctx context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	in := &taskLogsInbound{shipping: t.shipping}
	in.Next = next
	return in
}

type taskLogsInbound struct {
	interceptor.ActivityInboundInterceptorBase
	shipping *shipping
}

func (t *taskLogsInbound) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	out := &taskLogsOutbound{}
	out.Next = outbound
	return t.Next.Init(out)
}

// attemptLogKey is the context key of an attemptLog.
type attemptLogKey struct{}

func (t *taskLogsInbound) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	var about []any
	if len(in.Args) > 0 {
		about = activities.LogFields(in.Args[0])
	}
	activity.GetLogger(ctx).Debug("activity starts", about...)
	returned := false
	if kept := t.shipping.begin(ctx); kept != nil {
		kept.logger.Info("activity starts", about...)
		ctx = context.WithValue(ctx, attemptLogKey{}, kept)
		defer func() {
			if !returned { // the SDK writes the stack to standard error
				kept.logger.Error("activity panicked")
			}
			kept.end()
		}()
	}
	logger, began := activity.GetLogger(ctx), time.Now()
	out, err := t.Next.ExecuteActivity(ctx, in)
	returned = true
	about = append(about, "took", time.Since(began).Round(time.Millisecond).String())
	switch {
	case errors.Is(err, activity.ErrResultPending): // another process ends it, as the Pools workflow does
		logger.Info("activity waits for its result", about...)
	case err != nil:
		logger.Warn("activity failed", append(about, "error", err)...)
	default:
		logger.Info("activity done", append(about, activities.LogFields(out)...)...)
	}
	return out, err
}

type taskLogsOutbound struct {
	interceptor.ActivityOutboundInterceptorBase
}

// GetLogger returns the activity's logger with the fields of its task. It also writes to the
// attemptLog, if there is one.
func (t *taskLogsOutbound) GetLogger(ctx context.Context) log.Logger {
	logger := t.Next.GetLogger(ctx)
	ref, ok := steps.TaskRefOf(ctx)
	if !ok {
		return logger
	}
	logger = log.With(logger, "dag", ref.DAG, "logical_date", string(ref.Date), "task", ref.Task, "try", ref.Try)
	if kept, ok := ctx.Value(attemptLogKey{}).(*attemptLog); ok {
		return twoLoggers{logger, kept.logger}
	}
	return logger
}
