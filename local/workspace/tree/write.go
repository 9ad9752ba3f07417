package tree

import (
	"errors"
	"io/fs"
	"path"
	"syscall"

	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/google/uuid"
)

// writeNotebook stores a notebook at a clean path; writeFile stores a file. It returns
// ErrMissing if the folder does not exist, and errPathTaken for an existing object: overwrite
// replaces only an object of the same kind.
func (t *Tree) writeNotebook(p string, format notebookFormat, source []byte, overwrite bool) error {
	if !hasHeader(source, format.header) {
		source = append([]byte(format.header+"\n"), source...)
	}
	return t.write(p, diskPath(p)+format.ending, workspace.ObjectTypeNotebook, source, overwrite)
}

func (t *Tree) writeFile(p string, content []byte, overwrite bool) error {
	return t.write(p, diskPath(p), workspace.ObjectTypeFile, content, overwrite)
}

func (t *Tree) write(p, disk string, kind workspace.ObjectType, content []byte, overwrite bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	parent, err := t.lookup(path.Dir(p))
	if err != nil {
		return err
	}
	if parent.kind != workspace.ObjectTypeDirectory {
		return ErrMissing
	}
	old, err := t.lookup(p)
	switch {
	case err == nil && (!overwrite || old.kind != kind):
		return errPathTaken
	case err != nil && !errors.Is(err, ErrMissing):
		return err
	}
	if _, err := t.root.Stat(disk); err == nil && disk != old.disk {
		return errPathTaken // the file of another object: see Tree
	}
	if err := t.replace(disk, content); err != nil {
		return err
	}
	if old.disk != "" && old.disk != disk {
		return t.root.Remove(old.disk) // the same notebook in another language
	}
	return nil
}

// replace writes a file atomically, for readers and across a kill of the process.
func (t *Tree) replace(disk string, content []byte) error {
	draft := path.Join(temporary, uuid.NewString())
	file, err := t.root.Create(draft)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = t.root.Rename(draft, disk)
	}
	if err != nil {
		return errors.Join(err, t.root.Remove(draft))
	}
	return nil
}

// makeDirectories creates a folder and its parents. If one of them is not a folder, it returns that
// path with errPathTaken.
func (t *Tree) makeDirectories(p string) (taken string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for at := p; at != "/"; at = path.Dir(at) {
		o, err := t.lookup(at)
		if err == nil && o.kind != workspace.ObjectTypeDirectory {
			return at, errPathTaken
		}
		if err != nil && !errors.Is(err, ErrMissing) {
			return "", err
		}
	}
	err = t.root.MkdirAll(diskPath(p), 0o755)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTDIR) {
		return p, errPathTaken
	}
	return "", err
}

// remove deletes an object; a folder with its content.
func (t *Tree) remove(o object) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.root.RemoveAll(o.disk)
}
