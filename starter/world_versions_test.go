package main

import (
	"context"
	"fmt"
	"time"

	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// States of versions in Temporal.
const (
	inactive = enumspb.WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE
	current  = enumspb.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT
	ramping  = enumspb.WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING
	draining = enumspb.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING
	drained  = enumspb.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED
)

// addVersion adds a version of the workers, with so many open runs.
func (f *fakeTemporal) addVersion(buildID string, status enumspb.WorkerDeploymentVersionStatus, openRuns int64) {
	if f.deployment == nil {
		f.deployment = &deploymentpb.WorkerDeploymentInfo{RoutingConfig: &deploymentpb.RoutingConfig{}}
		f.open = map[string]int64{}
	}
	version := &deploymentpb.WorkerDeploymentVersion{DeploymentName: "pinflow", BuildId: buildID}
	switch status {
	case current:
		f.deployment.RoutingConfig.CurrentDeploymentVersion = version
	case ramping:
		f.deployment.RoutingConfig.RampingDeploymentVersion = version
		f.deployment.RoutingConfig.RampingVersionPercentage = 25
	}
	created := noon.Add(time.Duration(len(f.deployment.VersionSummaries)) * time.Minute)
	f.deployment.VersionSummaries = append(f.deployment.VersionSummaries, &deploymentpb.WorkerDeploymentInfo_WorkerDeploymentVersionSummary{
		DeploymentVersion: version, Status: status, CreateTime: timestamppb.New(created),
	})
	f.open[search.PinnedTo("pinflow", buildID)] = openRuns
}

// poll makes a worker of that build poll now; with or without Worker Versioning.
func (f *fakeTemporal) poll(buildID, host string, versioned bool) {
	poller := &taskqueuepb.PollerInfo{Identity: run.WorkerIdentity(buildID, host, 1), LastAccessTime: timestamppb.New(noon)}
	if versioned {
		poller.DeploymentOptions = &deploymentpb.WorkerDeploymentOptions{
			DeploymentName: "pinflow", BuildId: buildID, WorkerVersioningMode: enumspb.WORKER_VERSIONING_MODE_VERSIONED,
		}
	}
	f.pollers = append(f.pollers, poller)
}

func (s *fakeService) DescribeWorkerDeployment(_ context.Context, r *workflowservice.DescribeWorkerDeploymentRequest, _ ...grpc.CallOption) (*workflowservice.DescribeWorkerDeploymentResponse, error) {
	if s.temporal.deployment == nil || r.GetDeploymentName() != "pinflow" {
		return nil, serviceerror.NewNotFound("no such deployment")
	}
	return &workflowservice.DescribeWorkerDeploymentResponse{WorkerDeploymentInfo: s.temporal.deployment, ConflictToken: []byte("token")}, s.temporal.err
}

func (s *fakeService) SetWorkerDeploymentCurrentVersion(_ context.Context, r *workflowservice.SetWorkerDeploymentCurrentVersionRequest, _ ...grpc.CallOption) (*workflowservice.SetWorkerDeploymentCurrentVersionResponse, error) {
	s.temporal.routed = append(s.temporal.routed, fmt.Sprintf("current %q, token %s, by %s, without pollers %t", r.BuildId, r.ConflictToken, r.Identity, r.AllowNoPollers))
	if s.temporal.routeErr == nil {
		s.temporal.deployment.RoutingConfig.CurrentDeploymentVersion = &deploymentpb.WorkerDeploymentVersion{BuildId: r.BuildId}
	}
	return &workflowservice.SetWorkerDeploymentCurrentVersionResponse{}, s.temporal.routeErr
}

func (s *fakeService) SetWorkerDeploymentRampingVersion(_ context.Context, r *workflowservice.SetWorkerDeploymentRampingVersionRequest, _ ...grpc.CallOption) (*workflowservice.SetWorkerDeploymentRampingVersionResponse, error) {
	s.temporal.routed = append(s.temporal.routed, fmt.Sprintf("ramping %q %g %%, token %s, by %s, without pollers %t", r.BuildId, r.Percentage, r.ConflictToken, r.Identity, r.AllowNoPollers))
	return &workflowservice.SetWorkerDeploymentRampingVersionResponse{}, s.temporal.routeErr
}
