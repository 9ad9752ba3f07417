package activities

import (
	"go.temporal.io/sdk/worker"

	"github.com/pinflow/pinflow/activities/landing"
)

// Register registers the activities that work on Kafka, S3 and Databricks, under the names of their
// methods: PlanLanding, LandPartitions, WriteManifest, StartNotebook, WaitNotebook, CancelNotebook,
// CountRows, ReadLedger, WriteLedger. Workers and tests share it, so that they cannot differ.
func Register(registry worker.ActivityRegistry, landing *landing.Activities, notebooks *Notebooks, counting *Counting, ledger *Ledger) {
	registry.RegisterActivity(landing)
	registry.RegisterActivity(notebooks)
	registry.RegisterActivity(counting)
	registry.RegisterActivity(ledger)
}
