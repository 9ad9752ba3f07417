// Package activitytest runs activities in tests as Temporal runs them.
package activitytest

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
)

// Execute runs an activity once, with its input and result converted to payloads and back.
func Execute[Out any](activity, in any) (Out, error) {
	return ExecuteIn[Out](NewEnvironment(), activity, in)
}

// ExecuteIn is Execute in an environment of the test's own.
func ExecuteIn[Out any](env *testsuite.TestActivityEnvironment, activity, in any) (out Out, err error) {
	env.RegisterActivity(activity)
	value, err := env.ExecuteActivity(activity, in)
	if err != nil || !value.HasValue() {
		return out, err
	}
	return out, value.Get(&out)
}

// NewEnvironment returns an environment that discards logs.
func NewEnvironment() *testsuite.TestActivityEnvironment {
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	return suite.NewTestActivityEnvironment()
}

// EnvironmentIn returns an environment in which the context of activities is a child of ctx.
func EnvironmentIn(ctx context.Context) *testsuite.TestActivityEnvironment {
	return NewEnvironment().SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
}
