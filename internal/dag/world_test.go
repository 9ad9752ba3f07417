package dag

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// does is an operator with these effects.
type does Effects

func (d does) Effects() Effects { return Effects(d) }

// diamond is a DAG for the tests: two tasks between a root and a leaf, and one more beside them.
func diamond() DAG {
	return DAG{
		{ID: "load", Pool: "writes", Do: does{Lands: []string{"pin", "geo"}}},
		{ID: "clean_pin", After: Tasks{"load"}, Do: does{Cleans: "pin"}},
		{ID: "clean_geo", After: Tasks{"load"}, Do: does{Cleans: "geo"}},
		{ID: "clean_user", After: Tasks{"load"}, Do: does{Cleans: "user"}},
		{ID: "query", After: Tasks{"clean_pin", "clean_geo", "clean_user"}, Pool: "writes", Do: does{Rebuilds: []string{"answer_1", "answer_2"}}},
	}
}

// definition is the diamond as a DAG of a catalog.
func definition() Definition {
	return Definition{
		Name: "diamond", DAG: diamond(), Params: Params{"schema": nil, "invalid_followers": {"quarantine", "null"}},
		Pools: []Pool{{Name: "writes", Slots: 1}},
	}
}

var update = flag.Bool("update", false, "write the files in testdata/golden")

// golden compares a text with a file in testdata/golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test ./internal/dag -update writes it")
}
