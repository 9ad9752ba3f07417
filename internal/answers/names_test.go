package answers

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/notebooks"
)

func TestTables_AreThoseOfTheNotebook(t *testing.T) {
	require.Equal(t, notebooks.Answers, Names())
}
