package workspace

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/require"
)

const sqlNotebook = "-- Databricks notebook source\nSELECT 1;\n\n-- COMMAND ----------\n\nSELECT 'ä';\n"

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func (w *testWorkspace) status(path string) *workspace.ObjectInfo {
	w.t.Helper()
	info, err := w.tree.GetStatus(w.t.Context(), workspace.GetStatusRequest{Path: path})
	require.NoError(w.t, err)
	return info
}

func (w *testWorkspace) export(path string) (string, string) {
	w.t.Helper()
	exported, err := w.tree.Export(w.t.Context(), workspace.ExportRequest{Path: path, Format: workspace.ExportFormatSource})
	require.NoError(w.t, err)
	content, err := exported.Bytes()
	require.NoError(w.t, err)
	return string(content), exported.FileType
}

func TestImport(t *testing.T) {
	t.Parallel()
	t.Run("is_exported_unchanged", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		for name, test := range map[string]struct {
			request         workspace.Import
			path            string
			kind            workspace.ObjectType
			language        workspace.Language
			content, ending string
		}{
			"source": {
				workspace.Import{Path: "/Shared/a", Format: workspace.ImportFormatSource, Language: workspace.LanguageSql, Content: encode(sqlNotebook)},
				"/Shared/a", workspace.ObjectTypeNotebook, workspace.LanguageSql, sqlNotebook, "sql",
			},
			"source is the default, and gets its first line": {
				workspace.Import{Path: "/Shared/b", Language: workspace.LanguagePython, Content: encode("print(1)")},
				"/Shared/b", workspace.ObjectTypeNotebook, workspace.LanguagePython, "# Databricks notebook source\nprint(1)", "py",
			},
			"source keeps an ending in the name": {
				workspace.Import{Path: "/Shared/c.sql", Format: workspace.ImportFormatSource, Language: workspace.LanguageSql, Content: encode(sqlNotebook)},
				"/Shared/c.sql", workspace.ObjectTypeNotebook, workspace.LanguageSql, sqlNotebook, "sql",
			},
			"auto, a notebook": {
				workspace.Import{Path: "/Shared/d.sql", Format: workspace.ImportFormatAuto, Content: encode(sqlNotebook)},
				"/Shared/d", workspace.ObjectTypeNotebook, workspace.LanguageSql, sqlNotebook, "sql",
			},
			"auto, SQL that is no notebook": {
				workspace.Import{Path: "/Shared/e.sql", Format: workspace.ImportFormatAuto, Content: encode("SELECT 1")},
				"/Shared/e.sql", workspace.ObjectTypeFile, "", "SELECT 1", "sql",
			},
			"auto, any file": {
				workspace.Import{Path: "/Shared/f.json", Format: workspace.ImportFormatAuto, Content: encode("{}")},
				"/Shared/f.json", workspace.ObjectTypeFile, "", "{}", "json",
			},
			"an empty notebook": {
				workspace.Import{Path: "/Shared/g", Language: workspace.LanguageSql},
				"/Shared/g", workspace.ObjectTypeNotebook, workspace.LanguageSql, "-- Databricks notebook source\n", "sql",
			},
			"under the root's other name": {
				workspace.Import{Path: "/Workspace/Shared/h", Language: workspace.LanguageSql, Content: encode(sqlNotebook)},
				"/Shared/h", workspace.ObjectTypeNotebook, workspace.LanguageSql, sqlNotebook, "sql",
			},
		} {
			t.Run(name, func(t *testing.T) {
				require.NoError(t, w.tree.Import(t.Context(), test.request))
				info := w.status(test.path)
				require.Equal(t, test.path, info.Path)
				require.Equal(t, test.kind, info.ObjectType)
				require.Equal(t, test.language, info.Language)
				require.NotZero(t, info.ObjectId)
				require.NotZero(t, info.ModifiedAt)
				content, ending := w.export(test.path)
				require.Equal(t, test.content, content)
				require.Equal(t, test.ending, ending)
			})
		}
	})

	t.Run("overwrite_replaces_the_same_kind_only", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		w.importSQL("/Shared/a", "SELECT 1")
		require.NoError(t, w.tree.WriteFile(t.Context(), "/Shared/file.sql", []byte("SELECT 1")))
		source := workspace.Import{Path: "/Shared/a", Language: workspace.LanguageSql, Content: encode("SELECT 2")}
		err := w.tree.Import(t.Context(), source)
		require.ErrorIs(t, err, apierr.ErrResourceAlreadyExists)
		require.Equal(t, "Path (/Shared/a) already exists.", requireAPIError(t, err, http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS"))
		content, _ := w.export("/Shared/a")
		require.Contains(t, content, "SELECT 1")

		source.Overwrite = true
		require.NoError(t, w.tree.Import(t.Context(), source))
		content, _ = w.export("/Shared/a")
		require.Contains(t, content, "SELECT 2")

		source.Language = workspace.LanguagePython
		require.NoError(t, w.tree.Import(t.Context(), source))
		require.Equal(t, workspace.LanguagePython, w.status("/Shared/a").Language)
		all, err := w.tree.ListAll(t.Context(), workspace.ListWorkspaceRequest{Path: "/Shared"})
		require.NoError(t, err)
		require.Len(t, all, 2, "the notebook is there once")

		// A folder, a file, and a notebook whose place on the disk is another object's.
		for _, path := range []string{"/Shared", "/Shared/file.sql", "/Shared/file"} {
			err := w.tree.Import(t.Context(), workspace.Import{Path: path, Language: workspace.LanguageSql, Overwrite: true, Content: encode("SELECT 3")})
			requireAPIError(t, err, http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS")
		}
	})

	t.Run("rejects_invalid_content", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		w.importSQL("/Shared/notebook", "SELECT 1")
		for name, test := range map[string]struct {
			request workspace.Import
			status  int
			code    string
		}{
			"no path":              {workspace.Import{Language: workspace.LanguageSql}, 400, "INVALID_PARAMETER_VALUE"},
			"relative path":        {workspace.Import{Path: "Shared/a", Language: workspace.LanguageSql}, 400, "INVALID_PARAMETER_VALUE"},
			"path out of the tree": {workspace.Import{Path: "/Shared/../../a", Language: workspace.LanguageSql}, 400, "INVALID_PARAMETER_VALUE"},
			"reserved name":        {workspace.Import{Path: "/.tmp/a", Language: workspace.LanguageSql}, 400, "INVALID_PARAMETER_VALUE"},
			"long name":            {workspace.Import{Path: "/Shared/" + strings.Repeat("x", 241), Language: workspace.LanguageSql}, 400, "INVALID_PARAMETER_VALUE"},
			"no language":          {workspace.Import{Path: "/Shared/a"}, 400, "INVALID_PARAMETER_VALUE"},
			"unknown language":     {workspace.Import{Path: "/Shared/a", Language: "COBOL"}, 400, "INVALID_PARAMETER_VALUE"},
			"unknown format":       {workspace.Import{Path: "/Shared/a", Format: workspace.ImportFormatDbc}, 400, "INVALID_PARAMETER_VALUE"},
			"no base64":            {workspace.Import{Path: "/Shared/a", Language: workspace.LanguageSql, Content: "***"}, 400, "INVALID_PARAMETER_VALUE"},
			"no such folder":       {workspace.Import{Path: "/Shared/no/a", Language: workspace.LanguageSql}, 404, "RESOURCE_DOES_NOT_EXIST"},
			"folder is a notebook": {workspace.Import{Path: "/Shared/notebook/a", Language: workspace.LanguageSql}, 404, "RESOURCE_DOES_NOT_EXIST"},
		} {
			t.Run(name, func(t *testing.T) {
				requireAPIError(t, w.tree.Import(t.Context(), test.request), test.status, test.code)
			})
		}
	})

	t.Run("accepts_ten_megabytes", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		content := bytes.Repeat([]byte("x"), 10<<20)
		require.NoError(t, w.tree.WriteFile(t.Context(), "/Shared/large", content))
		err := w.tree.WriteFile(t.Context(), "/Shared/larger", append(content, 'x'))
		requireAPIError(t, err, http.StatusBadRequest, "MAX_NOTEBOOK_SIZE_EXCEEDED")
	})
}

func TestUpload(t *testing.T) {
	t.Parallel()
	t.Run("form_and_direct_download", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		require.NoError(t, w.tree.Upload(t.Context(), "/Shared/a.sql", strings.NewReader(sqlNotebook), workspace.UploadOverwrite()))
		reader, err := w.tree.Download(t.Context(), "/Shared/a.sql")
		require.NoError(t, err)
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, sqlNotebook, string(content))

		binary := bytes.Repeat([]byte{0, 1, 2, 0xff}, 1000)
		require.NoError(t, w.tree.WriteFile(t.Context(), "/Shared/data.bin", binary))
		content, err = w.tree.ReadFile(t.Context(), "/Shared/data.bin")
		require.NoError(t, err)
		require.Equal(t, binary, content)
		require.EqualValues(t, len(binary), w.status("/Shared/data.bin").Size)
	})
}

func TestExport(t *testing.T) {
	t.Parallel()
	t.Run("rejects_invalid_requests", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		w.importSQL("/Shared/a", "SELECT 1")
		for name, test := range map[string]struct {
			request workspace.ExportRequest
			status  int
			code    string
		}{
			"missing":   {workspace.ExportRequest{Path: "/Shared/b"}, 404, "RESOURCE_DOES_NOT_EXIST"},
			"directory": {workspace.ExportRequest{Path: "/Shared"}, 400, "INVALID_PARAMETER_VALUE"},
			"format":    {workspace.ExportRequest{Path: "/Shared/a", Format: workspace.ExportFormatJupyter}, 400, "INVALID_PARAMETER_VALUE"},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := w.tree.Export(t.Context(), test.request)
				requireAPIError(t, err, test.status, test.code)
			})
		}
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	t.Run("of_a_missing_path_is_not_found", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		_, err := w.tree.GetStatus(t.Context(), workspace.GetStatusRequest{Path: "/Shared/nothing"})
		require.ErrorIs(t, err, apierr.ErrResourceDoesNotExist)
		require.Equal(t, "Path (/Shared/nothing) doesn't exist.", requireAPIError(t, err, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST"))
		require.Equal(t, workspace.ObjectTypeDirectory, w.status("/").ObjectType)
		require.Equal(t, workspace.ObjectTypeDirectory, w.status("/Workspace").ObjectType)
	})
}

func TestListNotebooks(t *testing.T) {
	t.Parallel()
	t.Run("shows_the_children_or_the_object", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		require.NoError(t, w.tree.Mkdirs(t.Context(), workspace.Mkdirs{Path: "/Shared/pinflow/deep"}))
		w.importSQL("/Shared/pinflow/clean_pin", "SELECT 1")
		require.NoError(t, w.tree.WriteFile(t.Context(), "/Shared/pinflow/notes.txt", []byte("notes")))
		paths := func(path string) []string {
			objects, err := w.tree.ListAll(t.Context(), workspace.ListWorkspaceRequest{Path: path})
			require.NoError(t, err)
			found := []string{}
			for _, o := range objects {
				found = append(found, string(o.ObjectType)+" "+o.Path)
			}
			return found
		}
		require.Equal(t, []string{"DIRECTORY /Shared", "DIRECTORY /Users"}, paths("/"))
		require.Equal(t, []string{"NOTEBOOK /Shared/pinflow/clean_pin", "DIRECTORY /Shared/pinflow/deep", "FILE /Shared/pinflow/notes.txt"}, paths("/Shared/pinflow"))
		require.Equal(t, []string{"NOTEBOOK /Shared/pinflow/clean_pin"}, paths("/Shared/pinflow/clean_pin"))
		require.Empty(t, paths("/Shared/pinflow/deep"))
		_, err := w.tree.ListAll(t.Context(), workspace.ListWorkspaceRequest{Path: "/Shared/no"})
		requireAPIError(t, err, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST")
		recursive, err := w.tree.RecursiveList(t.Context(), "/Shared")
		require.NoError(t, err)
		require.Len(t, recursive, 2)
		later, err := w.tree.ListAll(t.Context(), workspace.ListWorkspaceRequest{Path: "/Shared/pinflow", NotebooksModifiedAfter: w.status("/Shared/pinflow/clean_pin").ModifiedAt + 1})
		require.NoError(t, err)
		require.Len(t, later, 2, "the notebook is left out")
	})
}

func TestMkdirs(t *testing.T) {
	t.Parallel()
	t.Run("creates_parents_and_rejects_what_is_not_a_folder", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		for range 2 {
			require.NoError(t, w.tree.Mkdirs(t.Context(), workspace.Mkdirs{Path: "/Shared/a/b/c"}))
		}
		require.Equal(t, workspace.ObjectTypeDirectory, w.status("/Shared/a/b").ObjectType)
		w.importSQL("/Shared/a/notebook", "SELECT 1")
		for _, path := range []string{"/Shared/a/notebook", "/Shared/a/notebook/deep", "/Shared/a/notebook.sql"} {
			requireAPIError(t, w.tree.Mkdirs(t.Context(), workspace.Mkdirs{Path: path}), http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS")
		}
		requireAPIError(t, w.tree.Mkdirs(t.Context(), workspace.Mkdirs{Path: "relative"}), http.StatusBadRequest, "INVALID_PARAMETER_VALUE")
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	t.Run("needs_recursive_for_a_folder_that_is_not_empty", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		require.NoError(t, w.tree.Mkdirs(t.Context(), workspace.Mkdirs{Path: "/Shared/a/b"}))
		w.importSQL("/Shared/a/notebook", "SELECT 1")
		err := w.tree.Delete(t.Context(), workspace.Delete{Path: "/Shared/a"})
		require.Equal(t, "Folder (/Shared/a) is not empty", requireAPIError(t, err, http.StatusBadRequest, "DIRECTORY_NOT_EMPTY"))
		require.NoError(t, w.tree.Delete(t.Context(), workspace.Delete{Path: "/Shared/a/b"}))
		require.NoError(t, w.tree.Delete(t.Context(), workspace.Delete{Path: "/Shared/a", Recursive: true}))
		for _, path := range []string{"/Shared/a", "/Shared/a/notebook"} {
			requireAPIError(t, w.tree.Delete(t.Context(), workspace.Delete{Path: path}), http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST")
		}
		for _, path := range []string{"/", "/Shared", "/Users", "/Workspace"} {
			requireAPIError(t, w.tree.Delete(t.Context(), workspace.Delete{Path: path, Recursive: true}), http.StatusBadRequest, "DIRECTORY_PROTECTED")
		}
	})
}

func TestTree(t *testing.T) {
	t.Parallel()
	t.Run("is_a_folder_of_source_files", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		w := startWorkspace(t, Options{DataDir: dir})
		w.importSQL("/Shared/a", "SELECT 1")
		onDisk := filepath.Join(dir, "workspace", "Shared", "a.sql")
		content, err := os.ReadFile(onDisk)
		require.NoError(t, err)
		require.Equal(t, "-- Databricks notebook source\nSELECT 1", string(content))
		require.NoError(t, os.WriteFile(onDisk, []byte("-- Databricks notebook source\r\nSELECT 2"), 0o644))
		edited, _ := w.export("/Shared/a")
		require.Contains(t, edited, "SELECT 2", "an edited file is the notebook")
		drafts, err := os.ReadDir(filepath.Join(dir, "workspace", ".tmp"))
		require.NoError(t, err)
		require.Empty(t, drafts)
	})

	t.Run("never_leaves_its_root", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "secret.txt"), []byte("secret"), 0o600))
		w := startWorkspace(t, Options{DataDir: dir})
		require.NoError(t, os.Symlink(filepath.Join(dir, "secret.txt"), filepath.Join(dir, "workspace", "Shared", "link.txt")))
		for _, path := range []string{"/../secret.txt", "/Shared/../../secret.txt", "/Shared/link.txt"} {
			_, err := w.tree.Export(t.Context(), workspace.ExportRequest{Path: path})
			require.Error(t, err, path)
		}
	})
}
