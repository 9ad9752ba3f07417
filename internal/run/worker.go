package run

import (
	"fmt"
	"strings"
)

// WorkerDeployment returns the name of the deployment's workers in Temporal's Worker Versioning. It
// may have neither a dot nor a colon.
func (d Deployment) WorkerDeployment() string { return string(d) }

// WorkerIdentity returns the identity of a worker in Temporal. It has the build, so that operators
// see which build a worker is of whether or not it uses Worker Versioning.
func WorkerIdentity(buildID, host string, pid int) string {
	return fmt.Sprintf("%s@%s:%d", buildID, host, pid)
}

// WorkerBuild returns the build id in the identity of a worker, or nothing if it has none, as that
// of a program other than Pinflow's worker.
func WorkerBuild(identity string) string {
	build, _, ok := strings.Cut(identity, "@")
	if !ok || !strings.Contains(build, "+") {
		return ""
	}
	return build
}
