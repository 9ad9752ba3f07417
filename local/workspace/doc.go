// Package workspace is a Databricks-compatible workspace for one machine. It implements the parts
// of the REST API that Pinflow uses: one-time job runs of SQL notebooks (Jobs 2.1 and 2.2), the
// workspace tree (Workspace 2.0) and SQL statements (Statement Execution 2.0). SQL runs on an
// [Engine]. The state is in a directory and survives a restart and a kill -9.
//
// States, limits, error codes and formats are those that the service documents. Undocumented
// responses follow what the service sends. Other endpoints return ENDPOINT_NOT_FOUND, and options
// that would change what a run does return a 400 instead of being ignored.
package workspace
