package objectstore

import (
	"context"
	"fmt"
	"path"
	"strings"
)

// Find returns the objects that a pattern matches, sorted by URI. As on Databricks, * matches any
// characters but the slash, ? one of them, [ab] one of a set, and {a,b} one of the texts.
func Find(ctx context.Context, store Store, pattern string) ([]Object, error) {
	prefix, patterns := pattern, alternatives(pattern)
	if special := strings.IndexAny(pattern, `*?[{\`); special >= 0 {
		prefix = pattern[:special]
	}
	listed, err := store.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var found []Object
	for _, object := range listed {
		matches, err := matchesAny(patterns, object.URI)
		if err != nil {
			return nil, fmt.Errorf("pattern %s: %w", pattern, err)
		}
		if matches {
			found = append(found, object)
		}
	}
	return found, nil
}

func matchesAny(patterns []string, uri string) (bool, error) {
	for _, pattern := range patterns {
		if matches, err := path.Match(pattern, uri); matches || err != nil {
			return matches, err
		}
	}
	return false, nil
}

// alternatives expands the braces of a pattern: a{b,c}d{e,f} becomes abde, abdf, acde and acdf. A
// brace that is not closed is itself.
func alternatives(pattern string) []string {
	open := strings.IndexByte(pattern, '{')
	if open < 0 {
		return []string{pattern}
	}
	parts, start, depth := []string(nil), open+1, 0
	for i := open; i < len(pattern); i++ {
		switch {
		case pattern[i] == '{':
			depth++
		case pattern[i] == ',' && depth == 1:
			parts, start = append(parts, pattern[start:i]), i+1
		case pattern[i] == '}':
			if depth--; depth > 0 {
				continue
			}
			var all []string
			for _, part := range append(parts, pattern[start:i]) {
				all = append(all, alternatives(pattern[:open]+part+pattern[i+1:])...)
			}
			return all
		}
	}
	return []string{pattern}
}
