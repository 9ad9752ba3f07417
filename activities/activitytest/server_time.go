package activitytest

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
)

// EnvironmentAt returns an environment in which activities start at that time, by the clock of the
// Temporal server. The worker's own clock may differ.
func EnvironmentAt(started time.Time) *testsuite.TestActivityEnvironment {
	return NewEnvironment().SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&serverTime{started: started}}})
}

// serverTime replaces the time of the server that an activity is told.
type serverTime struct {
	interceptor.WorkerInterceptorBase
	started time.Time
}

func (s *serverTime) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &serverTimeInbound{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, started: s.started}
}

type serverTimeInbound struct {
	interceptor.ActivityInboundInterceptorBase
	started time.Time
}

func (s *serverTimeInbound) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	return s.Next.Init(&serverTimeOutbound{ActivityOutboundInterceptorBase: interceptor.ActivityOutboundInterceptorBase{Next: outbound}, started: s.started})
}

type serverTimeOutbound struct {
	interceptor.ActivityOutboundInterceptorBase
	started time.Time
}

func (s *serverTimeOutbound) GetInfo(ctx context.Context) activity.Info {
	info := s.Next.GetInfo(ctx)
	info.ScheduledTime, info.StartedTime = s.started, s.started
	return info
}
