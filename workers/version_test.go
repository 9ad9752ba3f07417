package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"

	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/run"
)

func TestDeploymentOptions(t *testing.T) {
	settings := func(versioning config.Switch) config.Config {
		return config.Config{Deployment: "pinflow-dev", WorkerVersioning: versioning}
	}

	t.Run("are_empty_unless_worker_versioning_is_on", func(t *testing.T) {
		for _, off := range []config.Switch{"", "off"} {
			options, err := deploymentOptions(settings(off), "0.1.0+unknown")
			require.NoError(t, err)
			require.Zero(t, options)
		}
	})

	t.Run("name_the_deployment_and_the_build", func(t *testing.T) {
		options, err := deploymentOptions(settings("on"), "0.1.0+abcdef1")
		require.NoError(t, err)
		require.Equal(t, worker.DeploymentOptions{
			UseVersioning: true, Version: worker.WorkerDeploymentVersion{DeploymentName: "pinflow-dev", BuildID: "0.1.0+abcdef1"},
		}, options)
	})

	t.Run("refuse_a_build_that_does_not_know_its_commit", func(t *testing.T) {
		_, err := deploymentOptions(settings("on"), "0.1.0+unknown")
		require.ErrorContains(t, err, "make build")
		require.ErrorAs(t, err, new(*settingsError))
	})
}

func TestIdentity(t *testing.T) {
	require.Equal(t, "0.1.0+abcdef1", run.WorkerBuild(identity("0.1.0+abcdef1")))
}
