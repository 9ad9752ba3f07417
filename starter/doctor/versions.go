package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/starter/builds"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
)

// build reports whether new runs start with the build of this command.
func build(ctx context.Context, conn *temporal.Connection, r *history.Reader, buildID string) (string, error) {
	others, err := r.Builds().OtherBuilds(ctx, conn, buildID)
	switch {
	case err != nil:
		return "", err
	case others != "":
		return "", warning(others)
	}
	return "no worker runs another build than this command, " + buildID, nil
}

// versions reports whether each version of the workers has those that it needs.
func versions(ctx context.Context, conn *temporal.Connection, r *history.Reader) (string, error) {
	v, err := r.Builds().Versions(ctx, conn)
	if err != nil {
		return "", err
	}
	if len(v.Versions) == 0 && !r.Settings.WorkerVersioning.On() {
		return "Worker Versioning is off", nil
	}
	problems := slices.Concat(abandoned(v), unrouted(v))
	if len(problems) > 0 {
		return "", errors.New(strings.Join(problems, "; "))
	}
	var removable []string
	for _, one := range v.Versions {
		if one.Removable && len(one.Workers) > 0 {
			removable = append(removable, one.BuildID)
		}
	}
	text := "new runs start on " + v.Current
	if v.Current == "" {
		return "", warning(noCurrent(v, "workers without Worker Versioning start the new runs"))
	}
	if len(removable) > 0 {
		text += fmt.Sprintf("; the workers of %s may be stopped", term.Join(removable))
	}
	return text, nil
}

// abandoned returns the versions that have open runs, but no workers to continue them.
func abandoned(v *builds.Versions) (problems []string) {
	for _, one := range v.Versions {
		if one.OpenRuns > 0 && len(one.Workers) == 0 {
			problems = append(problems, fmt.Sprintf("%s has %s and no workers: start workers of that build again until `starter deploy status` says that it may be removed",
				one.BuildID, term.Count(one.OpenRuns, "open run")))
		}
	}
	return problems
}

// unrouted returns why new runs wait for workers.
func unrouted(v *builds.Versions) (problems []string) {
	if v.Current == "" && len(v.Unversioned) == 0 {
		problems = append(problems, noCurrent(v, "new runs wait"))
	}
	for _, name := range []string{v.Current, v.Ramping} {
		one := v.Find(name)
		if one == nil || len(one.Workers) > 0 {
			continue
		}
		next := "start some"
		switch i := slices.IndexFunc(v.Versions, func(other builds.Version) bool { return len(other.Workers) > 0 }); {
		case i >= 0:
			next += fmt.Sprintf(", or `starter deploy promote %s`", v.Versions[i].BuildID)
		case len(v.Unversioned) > 0:
			next += ", or `starter deploy promote --unversioned`"
		}
		problems = append(problems, fmt.Sprintf("%s is %s and has no workers, so new runs wait: %s", one.BuildID, one.State, next))
	}
	return problems
}

// noCurrent says that no version is current, and how to make one so.
func noCurrent(v *builds.Versions, effect string) string {
	for _, one := range v.Versions {
		if len(one.Workers) > 0 {
			return fmt.Sprintf("no version is current, and %s: `starter deploy promote %s`", effect, one.BuildID)
		}
	}
	return fmt.Sprintf("no version is current, and %s: start a worker with PINFLOW_WORKER_VERSIONING=on, and promote its build with `starter deploy promote`", effect)
}
