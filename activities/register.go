package activities

import "go.temporal.io/sdk/worker"

// Register registers all activities with a worker, under the names of their methods: PlanLanding, LandPartition, WriteManifest,
// StartNotebook, WaitNotebook, CancelNotebook, CountRows, ReadLedger, WriteLedger. Workers and tests share it, so that they cannot differ.
func Register(registry worker.ActivityRegistry, landing *Landing, notebooks *Notebooks, counting *Counting, ledger *Ledger) {
	registry.RegisterActivity(landing)
	registry.RegisterActivity(notebooks)
	registry.RegisterActivity(counting)
	registry.RegisterActivity(ledger)
}
