// Package tree implements the notebooks and files of a workspace with the Workspace API 2.0.
package tree

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/databricks/databricks-sdk-go/service/workspace"

	"github.com/pinflow/pinflow/local/workspace/api"
)

// Tree keeps the workspace's notebooks and files in a directory with the layout of `databricks
// workspace export-dir`, for any editor: a SQL notebook /a/b is the file a/b.sql, whose first line
// marks it as a notebook.
//
// Unlike in the service, a SQL notebook /a/b and a file /a/b.sql cannot both exist.
type Tree struct {
	mu   sync.RWMutex
	root *os.Root
}

var (
	// ErrMissing is the error for a path at which nothing is.
	ErrMissing   = errors.New("no such path")
	errPathTaken = errors.New("the path is taken")
)

// maxName is the maximum length of a name in a path, in bytes: that of file systems, without the
// extension of a notebook.
const maxName = 240

// temporary is the directory of files that are being written. It is not part of the tree.
const temporary = ".tmp"

// object is a notebook, a file or a directory of the tree. disk is its path under the root.
type object struct {
	path     string
	kind     workspace.ObjectType
	language workspace.Language
	size     int64
	modified time.Time
	disk     string
}

// notebookFormat is the source format of a language's notebooks: extension and first line.
type notebookFormat struct {
	language workspace.Language
	ending   string
	header   string
}

var notebookFormats = []notebookFormat{
	{workspace.LanguageSql, ".sql", "-- Databricks notebook source"},
	{workspace.LanguagePython, ".py", "# Databricks notebook source"},
	{workspace.LanguageScala, ".scala", "// Databricks notebook source"},
	{workspace.LanguageR, ".r", "# Databricks notebook source"},
}

func formatOf(language workspace.Language) (notebookFormat, bool) {
	i := slices.IndexFunc(notebookFormats, func(f notebookFormat) bool { return f.language == language })
	if i < 0 {
		return notebookFormat{}, false
	}
	return notebookFormats[i], true
}

func formatByEnding(ending string) (notebookFormat, bool) {
	i := slices.IndexFunc(notebookFormats, func(f notebookFormat) bool { return strings.EqualFold(f.ending, ending) })
	if i < 0 {
		return notebookFormat{}, false
	}
	return notebookFormats[i], true
}

// Open opens the tree in dir and creates the standard folders.
func Open(dir string) (*Tree, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open the workspace tree: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the workspace tree: %w", err)
	}
	// Files that a killed process did not finish.
	if err := root.RemoveAll(temporary); err != nil {
		return nil, errors.Join(fmt.Errorf("open the workspace tree: %w", err), root.Close())
	}
	for _, folder := range []string{temporary, "Shared", path.Join("Users", api.UserName)} {
		if err := root.MkdirAll(folder, 0o755); err != nil {
			return nil, errors.Join(fmt.Errorf("open the workspace tree: %w", err), root.Close())
		}
	}
	return &Tree{root: root}, nil
}

// Close closes the directory.
func (t *Tree) Close() error { return t.root.Close() }

// Routes returns the endpoints.
func (t *Tree) Routes() api.Routes {
	const path = "/api/2.0/workspace/"
	return api.Routes{
		"POST " + path + "import":    t.importObject,
		"GET " + path + "export":     t.exportObject,
		"GET " + path + "get-status": t.getStatus,
		"GET " + path + "list":       t.listObjects,
		"POST " + path + "mkdirs":    t.makeFolders,
		"POST " + path + "delete":    t.deleteObject,
	}
}

// cleanPath validates and normalizes an absolute workspace path. As in the service, /Workspace is
// another name of the root.
func cleanPath(text string) (string, error) {
	if text == "" {
		return "", api.MissingField("path")
	}
	if !strings.HasPrefix(text, "/") {
		return "", api.InvalidParameter("Path (%s) doesn't start with '/'", text)
	}
	for _, name := range strings.Split(text, "/") {
		if name == ".." || name == "." || name == temporary || len(name) > maxName || strings.ContainsAny(name, "\x00\\") {
			return "", api.InvalidParameter("Path (%s) has an invalid name: %q", text, name)
		}
	}
	clean := path.Clean(text)
	if clean == "/Workspace" {
		return "/", nil
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(clean, "/Workspace/"), "/"), nil
}

func diskPath(p string) string {
	if p == "/" {
		return "."
	}
	return strings.TrimPrefix(p, "/")
}

// find returns the object at a clean path, or ErrMissing.
func (t *Tree) find(p string) (object, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.lookup(p)
}

func (t *Tree) lookup(p string) (object, error) {
	disk := diskPath(p)
	info, err := t.root.Stat(disk)
	switch {
	case err == nil && info.IsDir():
		return object{path: p, kind: workspace.ObjectTypeDirectory, disk: disk}, nil
	case err == nil:
		if o := t.describe(disk, info); o.path == p {
			return o, nil
		}
	case !isMissing(err):
		return object{}, err
	}
	for _, format := range notebookFormats {
		info, err := t.root.Stat(disk + format.ending)
		if err != nil || info.IsDir() {
			continue
		}
		if o := t.describe(disk+format.ending, info); o.path == p {
			return o, nil
		}
	}
	return object{}, ErrMissing
}

// isMissing reports whether nothing is at a path, also because one of its parents is not a folder.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// describe returns the object of a regular file: a notebook by its extension and first line,
// otherwise a file.
func (t *Tree) describe(disk string, info fs.FileInfo) object {
	o := object{path: "/" + disk, kind: workspace.ObjectTypeFile, size: info.Size(), modified: info.ModTime(), disk: disk}
	if strings.HasSuffix(disk, DashboardEnding) {
		o.kind = workspace.ObjectTypeDashboard
		return o
	}
	format, ok := formatByEnding(path.Ext(disk))
	if !ok || !t.startsWith(disk, format.header) {
		return o
	}
	o.path = strings.TrimSuffix(o.path, path.Ext(disk))
	o.kind, o.language = workspace.ObjectTypeNotebook, format.language
	return o
}

func (t *Tree) startsWith(disk, header string) bool {
	file, err := t.root.Open(disk)
	if err != nil {
		return false
	}
	defer file.Close()
	start := make([]byte, len(header)+2)
	n, err := io.ReadFull(file, start)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	return hasHeader(start[:n], header)
}

func hasHeader(source []byte, header string) bool {
	rest, found := bytes.CutPrefix(source, []byte(header))
	return found && (len(rest) == 0 || rest[0] == '\n' || rest[0] == '\r')
}

// children returns the objects in a directory, sorted by path.
func (t *Tree) children(directory object) ([]object, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	entries, err := fs.ReadDir(t.root.FS(), directory.disk)
	if err != nil {
		return nil, err
	}
	var objects []object
	for _, entry := range entries {
		disk := path.Join(directory.disk, entry.Name())
		info, err := entry.Info()
		if disk == temporary || err != nil {
			continue
		}
		if entry.IsDir() {
			objects = append(objects, object{path: "/" + disk, kind: workspace.ObjectTypeDirectory, disk: disk})
			continue
		}
		objects = append(objects, t.describe(disk, info))
	}
	slices.SortFunc(objects, func(a, b object) int { return strings.Compare(a.path, b.path) })
	return objects, nil
}

func (t *Tree) read(o object) ([]byte, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.root.ReadFile(o.disk)
}

// Notebook returns the source of a notebook by the path in a job, or ErrMissing.
func (t *Tree) Notebook(text string) (source string, language workspace.Language, err error) {
	p, err := cleanPath(text)
	if err != nil {
		return "", "", ErrMissing
	}
	o, err := t.find(p)
	if err != nil {
		return "", "", err
	}
	if o.kind != workspace.ObjectTypeNotebook {
		return "", "", ErrMissing
	}
	data, err := t.read(o)
	return string(data), o.language, err
}

// objectID returns a number that depends only on the path. It has 53 bits, so that programs that
// decode JSON numbers as doubles keep it.
func objectID(p string) int64 {
	h := fnv.New64a()
	h.Write([]byte(p))
	return int64(h.Sum64() >> 11)
}
