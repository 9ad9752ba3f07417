package main

import (
	_ "github.com/databricks/databricks-sdk-go/service/jobs"
	_ "github.com/duckdb/duckdb-go/v2"
	_ "github.com/temporalio/ui-server/v2/server"
	_ "github.com/twmb/franz-go/pkg/kfake"
	_ "github.com/versity/versitygw/embedgw"
	_ "github.com/versity/versitygw/backend/posix"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	_ "go.temporal.io/server/temporal"
	_ "github.com/pinflow/pinflow/internal/warm"
)

func main() {}
