package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEngine(t *testing.T) {
	t.Run("spark_needs_an_installation", func(t *testing.T) {
		t.Setenv("PINFLOW_SPARK", "")
		home, err := sparkHome("duckdb")
		require.NoError(t, err)
		require.Empty(t, home)
		_, err = sparkHome("spark")
		require.ErrorContains(t, err, "scripts/install-spark")
		_, err = sparkHome("presto")
		require.ErrorContains(t, err, "want duckdb or spark")
		t.Setenv("PINFLOW_SPARK", "/opt/spark")
		home, err = sparkHome("spark")
		require.NoError(t, err)
		require.Equal(t, "/opt/spark", home)
	})
}
