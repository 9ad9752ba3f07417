//go:build conformance

package spark_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/reference"
	"github.com/pinflow/pinflow/notebooks"
)

// TestUserID holds that cleaning refuses a schema of another user id with the same words on both
// engines.
func TestUserID(t *testing.T) {
	t.Parallel()
	land("user_id", records(reference.Generate(9, 20), tuesday, onePartition))
	p := newPipeline(t, onSpark, "user_id", "user_id")
	p.run("quarantine", tuesday)
	for _, n := range notebooks.All() {
		if n.Name != "clean_pin" {
			continue
		}
		for where, e := range p.engines() {
			_, err := e.RunNotebook(t.Context(), n.Source, map[string]string{
				"schema": p.schema, "user_id": "other", "posts_topic": "posts", "logical_dates": tuesday, "invalid_followers": "quarantine",
			})
			require.ErrorContains(t, err, "[PINFLOW_OTHER_USER_ID] A schema holds one user id, and pin_by_date has records of "+user+".pin: set PINFLOW_SCHEMA", where)
		}
	}
	p.compare()
}
