// Package workspace is a Databricks-compatible workspace for one machine. It speaks the parts of the REST API that Pinflow uses:
// one-time job runs of SQL notebooks (Jobs 2.1 and 2.2), the workspace tree (Workspace 2.0) and SQL statements (Statement Execution 2.0).
// SQL runs on an [Engine]; the state is kept under a directory and survives a restart and a kill -9.
//
// What the service documents is kept: states, limits, error codes and shapes. Where the documentation is silent, the answers follow
// what the service has been seen to send. What is left out answers ENDPOINT_NOT_FOUND or a 400 that says so; nothing is accepted and ignored
// that would change what a run does.
package workspace
