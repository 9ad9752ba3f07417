package engine

import (
	"regexp"
	"strings"
)

// kind is the kind of a token.
type kind int

const (
	space kind = iota // white space and comments
	stringLiteral
	quotedName // `name`
	parameter  // :name
	number
	word
	operator
)

// token is a piece of SQL, unchanged.
type token struct {
	kind kind
	text string
}

// upper returns a word in upper case, for comparison with keywords; other tokens unchanged.
func (t token) upper() string {
	if t.kind == word {
		return strings.ToUpper(t.text)
	}
	return t.text
}

// lexer has a group for each kind, in order. The last group matches any character.
var lexer = regexp.MustCompile(`(?s)` +
	// DuckDB takes Unicode's spaces for blanks.
	`^(?:([\s\v\p{Z}\x{feff}\x{200b}]+|--[^\n]*|/\*.*?\*/)` +
	`|([rR]'[^']*'|[rR]"[^"]*"|'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")` +
	"|(`(?:[^`]|``)*`)" +
	`|(:[A-Za-z_]\w*)` +
	`|(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)` +
	`|([A-Za-z_]\w*)` +
	`|(=>|::|<=>|<=|>=|<>|!=|==|\|\||->|.))`)

// tokens splits SQL. The texts of the tokens add up to the SQL.
func tokens(sql string) []token {
	var all []token
	for len(sql) > 0 {
		groups := lexer.FindStringSubmatchIndex(sql)
		end := groups[1]
		k := space
		for g := 1; g < len(groups)/2; g++ {
			if groups[2*g] >= 0 {
				k = kind(g - 1)
			}
		}
		t := token{k, sql[:end]}
		// a::b is a cast and struct:field a path: a parameter does not follow a word, a bracket or a colon.
		if k == parameter && len(all) > 0 {
			if last := all[len(all)-1]; last.kind == word || last.kind == quotedName || last.text == ")" || last.text == "]" || last.text == ":" {
				t, end = token{operator, ":"}, 1
			}
		}
		all = append(all, t)
		sql = sql[end:]
	}
	return all
}

// text joins tokens.
func text(toks []token) string {
	var b strings.Builder
	for _, t := range toks {
		b.WriteString(t.text)
	}
	return strings.TrimSpace(b.String())
}

// skip returns the index of the first token at or after i that is not a space.
func skip(toks []token, i int) int {
	for i < len(toks) && toks[i].kind == space {
		i++
	}
	return i
}

// at returns the first token at or after i that is no space; the zero token is the end.
func at(toks []token, i int) token {
	if i = skip(toks, i); i < len(toks) {
		return toks[i]
	}
	return token{}
}

// call reads the arguments of a function whose name is toks[i]: their tokens, and the index after the closing bracket.
// ok is false without an opening and a closing bracket.
func call(toks []token, i int) (args [][]token, next int, ok bool) {
	if at(toks, i+1).text != "(" {
		return nil, 0, false
	}
	depth, current := 1, []token(nil)
	for k := skip(toks, i+1) + 1; k < len(toks); k++ {
		t := toks[k]
		if t.kind == operator {
			switch t.text {
			case "(", "[", "{":
				depth++
			case ")", "]", "}":
				depth--
			}
		}
		if depth == 0 {
			if skip(current, 0) < len(current) || len(args) > 0 {
				args = append(args, current)
			}
			return args, k + 1, true
		}
		if t.text == "," && depth == 1 {
			args, current = append(args, current), nil
			continue
		}
		current = append(current, t)
	}
	return nil, 0, false
}

// escapes maps the escape sequences of string literals; others are the character itself.
// https://docs.databricks.com/aws/en/sql/language-manual/data-types/string-type
var escapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", '0': "\x00", 'b': "\b", 'Z': "\x1a", '%': `\%`, '_': `\_`}

// stringValue returns the value of a string literal.
func stringValue(literal string) string {
	if literal[0] == 'r' || literal[0] == 'R' {
		return literal[2 : len(literal)-1]
	}
	quote, body := literal[0], literal[1:len(literal)-1]
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case c == '\\' && i+1 < len(body):
			i++
			if value, known := escapes[body[i]]; known {
				b.WriteString(value)
			} else {
				b.WriteByte(body[i])
			}
		case c == quote: // doubled
			i++
			b.WriteByte(quote)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
