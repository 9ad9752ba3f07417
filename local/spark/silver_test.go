//go:build conformance

package spark_test

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/enginetest"
)

// sequences is how many random sequences a run of the tests checks, unless -rapid.checks asks for
// another number. Each takes half a minute.
const sequences = 4

// The property of [enginetest.Silver]: silver, quarantine and gold are a function of what has landed,
// on Spark as in the workspace. The rebuild from scratch is the workspace's, which is faster.
func TestSilver(t *testing.T) {
	t.Parallel()
	inWorkspace, err := engine.Open(t.Context(), engine.Options{Objects: objects, Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, inWorkspace.Close()) })
	system := enginetest.System{Engine: onSpark, Rebuild: inWorkspace, Objects: objects}

	t.Run("is_a_function_of_what_has_landed", func(t *testing.T) {
		t.Parallel()
		t.Logf("-rapid.seed=%s gives the same sequences", flag.Lookup("rapid.seed").Value)
		var schemas int
		rapid.Check(t, func(t *rapid.T) {
			schemas++
			enginetest.Silver(context.Background(), t, system, fmt.Sprintf("silver_%d", schemas))
		})
		// Near the end of the time that go test has, rapid checks fewer and says nothing.
		want, err := strconv.Atoi(flag.Lookup("rapid.checks").Value.String())
		require.NoError(t, err)
		require.GreaterOrEqual(t, schemas, want, "sequences that were checked")
	})

	for i, example := range enginetest.Examples {
		t.Run(example.Name, func(t *testing.T) {
			t.Parallel()
			example.Run(t.Context(), t, system, fmt.Sprintf("example_%d", i))
		})
	}
}
