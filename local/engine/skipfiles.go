package engine

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/local/engine/scan"
	"github.com/pinflow/pinflow/local/objectstore"
)

// skipFiles evaluates a condition on objects before any of them is read, and reads only those for
// which it is true, as COPY INTO skips the files that it has loaded. It applies to
//
//	FROM (SELECT value AS line, <columns of _metadata> FROM read_files(…)) AS t WHERE <condition>
//
// whose condition does not mention the text: then it is true for all lines of an object, or for none.
func (s *session) skipFiles(ctx context.Context, r *rewriter, toks []token) ([]token, error) {
	for i := 0; i < len(toks); i++ {
		if toks[i].upper() != "READ_FILES" || at(toks, i+1).text != "(" || s.engine.objects == nil {
			continue
		}
		block, ok := fileCondition(toks, i)
		if !ok {
			continue
		}
		pattern, wholeText, next, err := r.readFilesArguments(toks, i)
		if err != nil {
			return nil, err
		}
		objects, err := s.find(ctx, pattern)
		if err != nil {
			return nil, err
		}
		if objects, ok = s.satisfying(ctx, r, block, objects); !ok {
			continue
		}
		relation := token{operator, s.open(ctx, objects, wholeText)}
		toks = slices.Concat(toks[:i], []token{relation}, toks[next:block.where], toks[block.end:])
	}
	return toks, nil
}

// fileBlock is a query of objects: its columns, its name, its condition, and where that is.
type fileBlock struct {
	columns, name, condition []token
	where, end               int
}

// fileCondition returns the query around the read_files at i, if it has the form of skipFiles.
func fileCondition(toks []token, i int) (b fileBlock, ok bool) {
	from := before(toks, i)
	start := from
	for start >= 0 && toks[start].upper() != "SELECT" {
		start--
	}
	_, next, called := call(toks, i)
	if !called || from < 0 || toks[from].upper() != "FROM" || start < 0 || at(toks, next).text != ")" {
		return b, false
	}
	opening := before(toks, start)
	if opening < 0 || toks[opening].text != "(" || before(toks, opening) < 0 || toks[before(toks, opening)].upper() != "FROM" {
		return b, false
	}
	c := &cursor{toks: toks, i: skip(toks, next) + 1}
	c.accept("AS")
	name := skip(toks, c.i)
	c.next()
	b.where = skip(toks, c.i)
	if !c.accept("WHERE") {
		return b, false
	}
	b.end = listEnd(toks, c.i)
	b.columns, b.name, b.condition = toks[start+1:from], toks[name:name+1], toks[c.i:b.end]
	text, ok := textColumn(b.columns)
	return b, ok && !slices.ContainsFunc(b.condition, func(t token) bool { return names(t, text) || names(t, "value") })
}

// textColumn returns the name of the column that is the text, if the columns mention it once and as it
// is: value, or value AS line.
func textColumn(columns []token) (name string, ok bool) {
	place, start := -1, -1
	for i, t := range columns {
		if names(t, "value") {
			if place >= 0 {
				return "", false
			}
			place, start = i, before(columns, i)
		}
	}
	if place < 0 || start >= 0 && columns[start].text != "," {
		return "", false
	}
	c := &cursor{toks: columns, i: place + 1}
	if c.accept("AS") {
		name = at(columns, c.i).text
		c.next()
	} else {
		name = "value"
	}
	end := at(columns, c.i)
	return strings.ToLower(unquoteName(name)), end.text == "," || end.text == ""
}

// satisfying returns the objects for which the condition is true; ok is false if that cannot be told
// without their texts.
func (s *session) satisfying(ctx context.Context, r *rewriter, b fileBlock, objects []objectstore.Object) (kept []objectstore.Object, ok bool) {
	var parts [3]string
	for i, toks := range [][]token{b.columns, b.name, b.condition} {
		sql, err := r.expression(toks)
		if err != nil {
			return nil, false // the statement fails with the same error
		}
		parts[i] = sql
	}
	listing, done := s.engine.scans.Open(ctx, scan.Objects{Store: withoutTexts{}, List: objects, Whole: true})
	defer done()
	rows, err := query(ctx, s.conn, "SELECT _pinflow_path FROM (SELECT "+parts[0]+", _metadata.file_path AS _pinflow_path FROM "+listing+") AS "+parts[1]+" WHERE "+parts[2], 0)
	if err != nil {
		return nil, false
	}
	paths := map[any]bool{}
	for _, row := range rows.Rows {
		paths[row[0]] = true
	}
	return slices.DeleteFunc(slices.Clone(objects), func(o objectstore.Object) bool { return !paths[o.URI] }), true
}

// withoutTexts is a store of empty objects.
type withoutTexts struct{ objectstore.Store }

func (withoutTexts) Open(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("")), nil
}
