package engine

import (
	"fmt"
	"strings"
)

// option reads `name => constant`.
func (r *rewriter) option(arg []token) (name, value string, err error) {
	for i, t := range arg {
		if t.text != "=>" {
			continue
		}
		name = strings.ToLower(text(arg[:i]))
		if literal := text(arg[i+1:]); strings.EqualFold(literal, "true") || strings.EqualFold(literal, "false") {
			return name, strings.ToLower(literal), nil
		}
		value, err = r.constant(arg[i+1:])
		return name, value, err
	}
	return "", "", fmt.Errorf("%q is not of the form name => value", text(arg))
}

// constant evaluates 'a' || :b || 'c'.
func (r *rewriter) constant(toks []token) (string, error) {
	var b strings.Builder
	operand := true // whether an operand is next
	for _, t := range toks {
		if t.kind == space {
			continue
		}
		switch {
		case operand && t.kind == stringLiteral:
			b.WriteString(stringValue(t.text))
		case operand && t.kind == parameter:
			value, err := r.parameter(t)
			if err != nil {
				return "", err
			}
			b.WriteString(value)
		case !operand && t.text == "||":
		default:
			return "", fmt.Errorf("%q is not a constant string", text(toks))
		}
		operand = !operand
	}
	if operand {
		return "", fmt.Errorf("%q is not a constant string", text(toks))
	}
	return b.String(), nil
}

func quoteString(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
