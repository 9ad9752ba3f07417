package tree

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/workspace"

	"github.com/pinflow/pinflow/local/workspace/api"
)

// maxNotebook limits the content of import and export: 10 MB (Workspace API, import and export,
// MAX_NOTEBOOK_SIZE_EXCEEDED).
const maxNotebook = 10 << 20

func pathMissing(p string) *api.Error {
	return &api.Error{Status: http.StatusNotFound, Code: "RESOURCE_DOES_NOT_EXIST", Message: "Path (" + p + ") doesn't exist."}
}

func pathTaken(p string) *api.Error {
	return &api.Error{Status: http.StatusBadRequest, Code: "RESOURCE_ALREADY_EXISTS", Message: "Path (" + p + ") already exists."}
}

func tooLarge(size int) *api.Error {
	return &api.Error{Status: http.StatusBadRequest, Code: "MAX_NOTEBOOK_SIZE_EXCEEDED", Message: "File size imported is (" + strconv.Itoa(size) + " bytes), exceeded max size (" + strconv.Itoa(maxNotebook) + " bytes)"}
}

// findObject returns the object at the path of a request.
func (t *Tree) findObject(text string) (object, error) {
	p, err := cleanPath(text)
	if err != nil {
		return object{}, err
	}
	o, err := t.find(p)
	if errors.Is(err, ErrMissing) {
		return object{}, pathMissing(text)
	}
	return o, err
}

// importObject stores a notebook (format SOURCE with a language), or a notebook or file by its
// extension and first line (AUTO). The content is base64 in JSON, or a file in a multipart form.
func (t *Tree) importObject(r *http.Request) (any, error) {
	request, content, err := readImport(r)
	if err != nil {
		return nil, err
	}
	p, err := cleanPath(request.Path)
	if err != nil {
		return nil, err
	}
	if len(content) > maxNotebook {
		return nil, tooLarge(len(content))
	}
	switch request.Format {
	case "", workspace.ImportFormatSource:
		format, ok := formatOf(request.Language)
		if !ok {
			return nil, api.InvalidParameter("The language must be set to SQL, PYTHON, SCALA or R to import a notebook as SOURCE; it is %q.", request.Language)
		}
		err = t.writeNotebook(p, format, content, request.Overwrite)
	case workspace.ImportFormatAuto:
		format, ok := formatByEnding(path.Ext(p))
		if ok && hasHeader(content, format.header) {
			p = strings.TrimSuffix(p, path.Ext(p))
			err = t.writeNotebook(p, format, content, request.Overwrite)
		} else {
			err = t.writeFile(p, content, request.Overwrite)
		}
	default:
		return nil, api.InvalidParameter("The format %q is not supported by this workspace; use SOURCE or AUTO.", request.Format)
	}
	switch {
	case errors.Is(err, ErrMissing):
		return nil, &api.Error{Status: http.StatusNotFound, Code: "RESOURCE_DOES_NOT_EXIST", Message: "The parent folder (" + path.Dir(p) + ") does not exist."}
	case errors.Is(err, errPathTaken):
		return nil, pathTaken(p)
	}
	return struct{}{}, err
}

func readImport(r *http.Request) (workspace.Import, []byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "multipart/form-data" {
		return readImportForm(r)
	}
	var request workspace.Import
	if err := api.ReadBody(r, &request); err != nil {
		return request, nil, err
	}
	content, err := base64.StdEncoding.DecodeString(request.Content)
	if err != nil {
		return request, nil, api.InvalidParameter("The content is not valid base64: %v", err)
	}
	return request, content, nil
}

func readImportForm(r *http.Request) (workspace.Import, []byte, error) {
	if err := r.ParseMultipartForm(api.MaxBody); err != nil {
		return workspace.Import{}, nil, api.MalformedRequest("The form could not be read: %v", err)
	}
	overwrite, err := strconv.ParseBool(r.FormValue("overwrite"))
	if err != nil && r.FormValue("overwrite") != "" {
		return workspace.Import{}, nil, api.InvalidParameter("Invalid value %q for the parameter overwrite: expected true or false.", r.FormValue("overwrite"))
	}
	request := workspace.Import{
		Path:      r.FormValue("path"),
		Format:    workspace.ImportFormat(r.FormValue("format")),
		Language:  workspace.Language(r.FormValue("language")),
		Overwrite: overwrite,
	}
	file, _, err := r.FormFile("content")
	if err != nil {
		return request, nil, api.MissingField("content")
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	return request, content, err
}

// exportObject returns the source of a notebook or the content of a file: as base64 in JSON, or
// unchanged with direct_download.
func (t *Tree) exportObject(r *http.Request) (any, error) {
	q := api.NewQuery(r)
	text, format, direct := q.Text("path"), workspace.ExportFormat(q.Text("format")), q.Boolean("direct_download")
	if q.Err() != nil {
		return nil, q.Err()
	}
	switch format {
	case "", workspace.ExportFormatSource, workspace.ExportFormatAuto:
	default:
		return nil, api.InvalidParameter("The format %q is not supported by this workspace; use SOURCE or AUTO.", format)
	}
	o, err := t.findObject(text)
	if err != nil {
		return nil, err
	}
	if o.kind == workspace.ObjectTypeDirectory {
		return nil, api.InvalidParameter("Path (%s) is a directory. This workspace exports single notebooks and files; list the directory and export each.", text)
	}
	content, err := t.read(o)
	if err != nil {
		return nil, err
	}
	if len(content) > maxNotebook {
		return nil, tooLarge(len(content))
	}
	if direct {
		return api.Download{Name: path.Base(o.disk), Content: content}, nil
	}
	return workspace.ExportResponse{
		Content:  base64.StdEncoding.EncodeToString(content),
		FileType: strings.TrimPrefix(path.Ext(o.disk), "."),
	}, nil
}

func (t *Tree) getStatus(r *http.Request) (any, error) {
	o, err := t.findObject(api.NewQuery(r).Text("path"))
	if err != nil {
		return nil, err
	}
	return o.info(), nil
}

// info returns the object as in the API, without created_at, which the directory of the tree does
// not have.
func (o object) info() workspace.ObjectInfo {
	info := workspace.ObjectInfo{
		ObjectId:   objectID(o.path),
		ObjectType: o.kind,
		Path:       o.path,
		Language:   o.language,
		ResourceId: strconv.FormatInt(objectID(o.path), 10),
	}
	if o.kind != workspace.ObjectTypeDirectory {
		info.ModifiedAt = o.modified.UnixMilli()
	}
	switch o.kind {
	case workspace.ObjectTypeFile:
		info.Size = o.size
	case workspace.ObjectTypeDashboard:
		info.ResourceId = DashboardID(o.path)
	}
	return info
}

// listObjects lists a directory, or the object itself if it is not a directory.
func (t *Tree) listObjects(r *http.Request) (any, error) {
	q := api.NewQuery(r)
	modifiedAfter := q.Integer("notebooks_modified_after")
	if q.Err() != nil {
		return nil, q.Err()
	}
	o, err := t.findObject(q.Text("path"))
	if err != nil {
		return nil, err
	}
	objects := []object{o}
	if o.kind == workspace.ObjectTypeDirectory {
		if objects, err = t.children(o); err != nil {
			return nil, err
		}
	}
	var response workspace.ListResponse
	for _, o := range objects {
		if o.kind == workspace.ObjectTypeNotebook && o.modified.UnixMilli() < modifiedAfter {
			continue
		}
		response.Objects = append(response.Objects, o.info())
	}
	return response, nil
}

func (t *Tree) makeFolders(r *http.Request) (any, error) {
	var request workspace.Mkdirs
	if err := api.ReadBody(r, &request); err != nil {
		return nil, err
	}
	p, err := cleanPath(request.Path)
	if err != nil {
		return nil, err
	}
	taken, err := t.makeDirectories(p)
	if errors.Is(err, errPathTaken) {
		return nil, &api.Error{Status: http.StatusBadRequest, Code: "RESOURCE_ALREADY_EXISTS", Message: taken + " already exists and it is not a folder"}
	}
	return struct{}{}, err
}

func (t *Tree) deleteObject(r *http.Request) (any, error) {
	var request workspace.Delete
	if err := api.ReadBody(r, &request); err != nil {
		return nil, err
	}
	o, err := t.findObject(request.Path)
	if err != nil {
		return nil, err
	}
	switch o.path {
	case "/", "/Shared", "/Users":
		return nil, &api.Error{Status: http.StatusBadRequest, Code: "DIRECTORY_PROTECTED", Message: "Folder (" + request.Path + ") is protected"}
	}
	if o.kind == workspace.ObjectTypeDirectory && !request.Recursive {
		inside, err := t.children(o)
		if err != nil {
			return nil, err
		}
		if len(inside) > 0 {
			return nil, &api.Error{Status: http.StatusBadRequest, Code: "DIRECTORY_NOT_EMPTY", Message: "Folder (" + request.Path + ") is not empty"}
		}
	}
	return struct{}{}, t.remove(o)
}
