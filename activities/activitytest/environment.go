package activitytest

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
)

// execute runs one activity as Temporal would, with its input and result over the wire format.
func Execute[Out any](activity, in any) (Out, error) {
	return ExecuteIn[Out](NewEnvironment(), activity, in)
}

func ExecuteIn[Out any](env *testsuite.TestActivityEnvironment, activity, in any) (out Out, err error) {
	env.RegisterActivity(activity)
	value, err := env.ExecuteActivity(activity, in)
	if err != nil || !value.HasValue() {
		return out, err
	}
	return out, value.Get(&out)
}

func NewEnvironment() *testsuite.TestActivityEnvironment {
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	return suite.NewTestActivityEnvironment()
}

// environmentIn has activities whose context is a child of the given one.
func EnvironmentIn(ctx context.Context) *testsuite.TestActivityEnvironment {
	return NewEnvironment().SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
}
