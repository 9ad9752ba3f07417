package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/joho/godotenv"
	"github.com/stretchr/testify/require"
)

func TestWrongSettingsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env")
	for text, says := range map[string]string{
		"A=1\nDATABRICKS_TOKEN \"dapi-secret\nX=1\n":        "line 2 (DATABRICKS_TOKEN)",
		"A=1\n\n# x\nDATABRICKS_TOKEN=\"dapi-secret\nX=1\n": "line 4 (DATABRICKS_TOKEN)",
		"B=\"two\nlines\"\nexport TOKEN='dapi-secret":       "line 3 (TOKEN)",
		"dapi-secret\nX=1":       "line 1",
		"A=1\n$%& dapi-secret\n": "line 2",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := Load(file)
		require.ErrorContains(t, err, says, text)
		require.NotContains(t, err.Error(), "secret")
		_, err = readFile(file)
		require.ErrorContains(t, err, says, text)
	}
	_, err := Load(file + "-missing")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// FuzzSettingsFile checks that the error about a file of settings has none of their values.
func FuzzSettingsFile(f *testing.F) {
	for _, text := range []string{"A=1\n", "A=\"x", "export A='x\ny'\nB", "a b\n", "A==\"\\\"", "=x\n", "#\nA: x", "\r\nA=x\r\n", "A=${B", "Ä=x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, before string) {
		const secret = "s3cr3t-v4lu3"
		text := before + "\nTOKEN=\"" + secret
		if _, err := godotenv.Unmarshal(text); err == nil || strings.Contains(before, secret) {
			return
		}
		file := filepath.Join(t.TempDir(), ".env")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := readFile(file)
		require.Error(t, err)
		require.NotContains(t, err.Error(), secret)
	})
}
