package runs

import (
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"
)

func TestSkipReason(t *testing.T) {
	t.Parallel()
	t.Run("follows_run_if", func(t *testing.T) {
		t.Parallel()
		for _, test := range []struct {
			condition jobs.RunIf
			parents   []outcome
			want      *outcome
		}{
			{"", nil, nil},
			{"", []outcome{succeeded, succeeded}, nil},
			{"", []outcome{succeeded, workloadFailed}, &upstreamFailed},
			{"", []outcome{upstreamFailed}, &upstreamFailed},
			{"", []outcome{canceled}, &upstreamCanceled},
			{"", []outcome{excluded, succeeded}, &excluded},
			{jobs.RunIfAllSuccess, []outcome{timedOut}, &upstreamFailed},
			{jobs.RunIfAllDone, []outcome{workloadFailed, canceled}, nil},
			{jobs.RunIfNoneFailed, []outcome{succeeded, excluded}, nil},
			{jobs.RunIfNoneFailed, []outcome{succeeded, workloadFailed}, &upstreamFailed},
			{jobs.RunIfNoneFailed, []outcome{excluded}, &excluded},
			{jobs.RunIfAtLeastOneSuccess, []outcome{succeeded, workloadFailed}, nil},
			{jobs.RunIfAtLeastOneSuccess, []outcome{workloadFailed}, &upstreamFailed},
			{jobs.RunIfAtLeastOneFailed, []outcome{succeeded, workloadFailed}, nil},
			{jobs.RunIfAtLeastOneFailed, []outcome{succeeded}, &excluded},
			{jobs.RunIfAllFailed, []outcome{workloadFailed, upstreamFailed}, nil},
			{jobs.RunIfAllFailed, []outcome{workloadFailed, succeeded}, &excluded},
		} {
			require.Equal(t, test.want, skipReason(test.condition, test.parents), "%s %v", test.condition, test.parents)
		}
	})
}

func TestRollUp(t *testing.T) {
	t.Parallel()
	t.Run("leaves_decide", func(t *testing.T) {
		t.Parallel()
		ended := func(key string, o outcome, after ...string) *TaskRun {
			task := jobs.SubmitTask{TaskKey: key}
			for _, parent := range after {
				task.DependsOn = append(task.DependsOn, jobs.TaskDependency{TaskKey: parent})
			}
			return &TaskRun{Spec: task, Outcome: o}
		}
		for name, test := range map[string]struct {
			tasks []*TaskRun
			want  jobs.RunResultState
		}{
			"all succeeded":             {[]*TaskRun{ended("a", succeeded), ended("b", succeeded, "a")}, jobs.RunResultStateSuccess},
			"a leaf failed":             {[]*TaskRun{ended("a", succeeded), ended("b", workloadFailed, "a")}, jobs.RunResultStateFailed},
			"a leaf could not run":      {[]*TaskRun{ended("a", workloadFailed), ended("b", upstreamFailed, "a")}, jobs.RunResultStateFailed},
			"a leaf timed out":          {[]*TaskRun{ended("a", timedOut)}, jobs.RunResultStateFailed},
			"a leaf was canceled":       {[]*TaskRun{ended("a", canceled)}, jobs.RunResultStateCanceled},
			"a leaf was excluded":       {[]*TaskRun{ended("a", succeeded), ended("b", excluded, "a")}, jobs.RunResultStateSuccess},
			"the leaves made up for it": {[]*TaskRun{ended("a", workloadFailed), ended("b", succeeded, "a")}, jobs.RunResultStateSuccessWithFailures},
		} {
			t.Run(name, func(t *testing.T) { require.Equal(t, test.want, rollUp(test.tasks).Result) })
		}
	})
}
