package spark

// Setting is a setting of Spark's sessions.
type Setting struct {
	// Name is the name of the setting, as in spark.sql.shuffle.partitions.
	Name string
	// Value is its value.
	Value string
	// Why says what it saves.
	Why string
}

// SmallTables are the settings for tables of some thousand rows, where a statement's time goes into
// planning, compiling and committing, and not into rows. No setting changes what a statement
// returns or writes into a table: they choose how Spark plans, and which statistics and caches Delta
// Lake keeps beside the rows. They make long work slower.
var SmallTables = []Setting{
	{"spark.sql.shuffle.partitions", "1", "a task for each shuffle, not 200"},
	{"spark.sql.adaptive.enabled", "false", "a job for each statement, and not one for each shuffle in it"},
	{"spark.sql.sources.parallelPartitionDiscovery.threshold", "1000", "folders are listed without a job"},
	{"spark.sql.codegen.wholeStage", "false", "expressions are interpreted: compiling Java for them takes longer than the rows do"},
	{"spark.sql.codegen.factoryMode", "NO_CODEGEN", "the same"},
	{"spark.databricks.delta.snapshotPartitions", "1", "a task to read a table's log, not 50"},
	{"spark.databricks.delta.stats.collect", "false", "no minima and maxima of columns for each written file"},
	{"spark.databricks.delta.properties.defaults.checkpointInterval", "1000", "no checkpoint of the log after each ten commits"},
	{"spark.databricks.delta.history.metricsEnabled", "false", "no metrics of statements in the log"},
}
