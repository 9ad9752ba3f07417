package statements

import (
	"regexp"
	"strings"
)

// parameter is a named parameter of a statement. A nil Value is NULL, an empty Type is STRING.
type parameter struct {
	Name  string  `json:"name"`
	Value *string `json:"value"`
	Type  string  `json:"type"`
}

// parameterType matches the types of parameters: as the API documents, the scalar types without
// BINARY.
var parameterType = regexp.MustCompile(`(?i)^(TINYINT|SMALLINT|INT|INTEGER|BIGINT|FLOAT|REAL|DOUBLE|(DECIMAL|NUMERIC)(\(\d{1,2}(, ?\d{1,2})?\))?|BOOLEAN|STRING|DATE|TIMESTAMP(_NTZ)?|VOID)$`)

// bind returns the statement and the values of its markers. The engine binds only texts, so that a
// marker of another type becomes a cast of the text, and NULL a cast of NULL.
func bind(text string, parameters []parameter) (string, map[string]string, error) {
	values, casts := map[string]string{}, map[string]string{}
	seen := map[string]bool{}
	for _, p := range parameters {
		kind := strings.ToUpper(p.Type)
		if kind == "" {
			kind = "STRING"
		}
		switch {
		case p.Name == "":
			return "", nil, statementFailed("Positional parameters are not supported by this workspace; give each parameter a name.")
		case seen[p.Name]:
			return "", nil, statementFailed("[INVALID_PARAMETER_MARKER_VALUE.DUPLICATE_NAME] The parameter %q is given twice. SQLSTATE: 22023", p.Name)
		case !parameterType.MatchString(kind):
			return "", nil, statementFailed("[INVALID_PARAMETER_MARKER_VALUE.INVALID_DATA_TYPE] The parameter %q has the type %q, which a parameter cannot have. SQLSTATE: 22023", p.Name, p.Type)
		}
		seen[p.Name] = true
		switch {
		case p.Value == nil:
			casts[p.Name] = "CAST(NULL AS " + kind + ")"
		case kind != "STRING":
			casts[p.Name] = "CAST(:" + p.Name + " AS " + kind + ")"
			values[p.Name] = *p.Value
		default:
			values[p.Name] = *p.Value
		}
	}
	if len(casts) == 0 {
		return text, values, nil
	}
	return replaceMarkers(text, casts), values, nil
}

// sqlTokens splits SQL into comments, quoted texts and names, markers, and the rest. A colon after
// a name, a bracket or another colon is a path or a cast, not a marker: the alternatives before the
// marker match it.
var sqlTokens = regexp.MustCompile("(?s)--[^\\n]*|/\\*.*?\\*/|'(?:[^'\\\\]|\\\\.|'')*'|\"(?:[^\"\\\\]|\\\\.|\"\")*\"|`(?:[^`]|``)*`(?:::?)?|[\\w)\\]]+::?|::|:[A-Za-z_]\\w*|.")

func replaceMarkers(text string, replacements map[string]string) string {
	return sqlTokens.ReplaceAllStringFunc(text, func(token string) string {
		if len(token) > 1 && token[0] == ':' {
			if replacement, ok := replacements[token[1:]]; ok {
				return replacement
			}
		}
		return token
	})
}
