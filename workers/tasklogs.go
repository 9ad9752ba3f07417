package main

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"

	"github.com/pinflow/pinflow/workflows"
)

// taskLogs adds DAG, logical date, task and try to the lines that activities log, and writes a line at the end of each activity.
type taskLogs struct {
	interceptor.WorkerInterceptorBase
}

// InterceptActivity puts the fields between the SDK and the activity.
func (t *taskLogs) InterceptActivity(ctx context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	in := &taskLogsInbound{}
	in.Next = next
	return in
}

type taskLogsInbound struct {
	interceptor.ActivityInboundInterceptorBase
}

func (t *taskLogsInbound) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	out := &taskLogsOutbound{}
	out.Next = outbound
	return t.Next.Init(out)
}

func (t *taskLogsInbound) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	logger, began := activity.GetLogger(ctx), time.Now()
	logger.Debug("activity starts")
	out, err := t.Next.ExecuteActivity(ctx, in)
	took := time.Since(began).Round(time.Millisecond).String()
	if err != nil {
		logger.Warn("activity failed", "took", took, "error", err)
	} else {
		logger.Info("activity done", "took", took)
	}
	return out, err
}

type taskLogsOutbound struct {
	interceptor.ActivityOutboundInterceptorBase
}

// GetLogger returns the activity's logger with the fields of its task.
func (t *taskLogsOutbound) GetLogger(ctx context.Context) log.Logger {
	logger := t.Next.GetLogger(ctx)
	ref, ok := workflows.TaskRefOf(ctx)
	if !ok {
		return logger
	}
	return log.With(logger, "dag", ref.DAG, "logical_date", string(ref.Date), "task", ref.Task, "try", ref.Try)
}
