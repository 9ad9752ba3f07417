// Package landing measures landing against a bare read of the same records and against Kafka Connect, on
// Apache Kafka and one S3 server. `make bench-landing` runs it; docs/benchmarks.md says what the numbers
// are.
package landing
