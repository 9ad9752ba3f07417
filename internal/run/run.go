// Package run is the vocabulary of runs: their states, inputs, results and ids, and the names by
// which clients address the workflows. It imports neither Temporal nor any other system.
package run
