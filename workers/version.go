package main

import (
	"errors"
	"os"
	"strings"

	"go.temporal.io/sdk/worker"

	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/run"
)

// identity returns the identity of this worker, which names its build.
func identity(buildID string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return run.WorkerIdentity(buildID, host, os.Getpid())
}

// deploymentOptions returns the worker's version if the settings turn Worker Versioning on. Builds
// that do not know their commit would all be one version, so that a changed build would take over
// the runs of the one before it.
func deploymentOptions(settings config.Config, buildID string) (worker.DeploymentOptions, error) {
	if !settings.WorkerVersioning.On() {
		return worker.DeploymentOptions{}, nil
	}
	if strings.HasSuffix(buildID, "+unknown") {
		return worker.DeploymentOptions{}, &settingsError{errors.New("PINFLOW_WORKER_VERSIONING=on needs a build that knows its commit: " +
			"build with `make build`, or with `docker build --build-arg COMMIT=$(scripts/commit)`")}
	}
	return worker.DeploymentOptions{
		UseVersioning: true,
		Version:       worker.WorkerDeploymentVersion{DeploymentName: settings.Deployment.WorkerDeployment(), BuildID: buildID},
	}, nil
}
