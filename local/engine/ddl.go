package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// duckTypes maps types of Databricks to those of DuckDB's JSON functions.
var duckTypes = map[string]string{"STRING": "VARCHAR", "INT": "INTEGER", "LONG": "BIGINT"}

// jsonStructure converts the schema argument of from_json, in Databricks' DDL, to the JSON
// structure of DuckDB's json_transform: `a STRING, b ARRAY<INT>` becomes
// {"a":"VARCHAR","b":["INTEGER"]}.
func jsonStructure(ddl string) (string, error) {
	p := &ddlParser{}
	for _, t := range tokens(ddl) {
		switch {
		case t.kind == parameter: // `name:TYPE` without a blank
			p.toks = append(p.toks, token{operator, ":"}, token{word, t.text[1:]})
		case t.kind != space:
			p.toks = append(p.toks, t)
		}
	}
	structure, err := p.top()
	if err != nil {
		return "", fmt.Errorf("schema %q of from_json: %w", ddl, err)
	}
	return structure, nil
}

type ddlParser struct {
	toks []token
	i    int
}

func (p *ddlParser) peek() token {
	if p.i < len(p.toks) {
		return p.toks[p.i]
	}
	return token{}
}

func (p *ddlParser) next() token {
	t := p.peek()
	p.i++
	return t
}

func (p *ddlParser) expect(text string) error {
	if t := p.next(); t.text != text {
		return fmt.Errorf("want %q, got %q", text, t.text)
	}
	return nil
}

func (p *ddlParser) top() (string, error) {
	first := p.peek().upper()
	parse := p.fields
	if len(p.toks) > 1 && p.toks[1].text == "<" && (first == "ARRAY" || first == "STRUCT") {
		parse = p.typeName
	}
	structure, err := parse()
	if err == nil && p.i < len(p.toks) {
		err = fmt.Errorf("unexpected %q", p.peek().text)
	}
	return structure, err
}

func (p *ddlParser) typeName() (string, error) {
	t := p.next()
	switch t.upper() {
	case "ARRAY":
		if err := p.expect("<"); err != nil {
			return "", err
		}
		element, err := p.typeName()
		if err != nil {
			return "", err
		}
		return "[" + element + "]", p.expect(">")
	case "STRUCT":
		if err := p.expect("<"); err != nil {
			return "", err
		}
		fields, err := p.fields()
		if err != nil {
			return "", err
		}
		return fields, p.expect(">")
	}
	if t.kind != word {
		return "", fmt.Errorf("want a type, got %q", t.text)
	}
	name := t.upper()
	if duck, ok := duckTypes[name]; ok {
		name = duck
	}
	return quoteJSON(name), nil
}

func (p *ddlParser) fields() (string, error) {
	var fields []string
	for {
		name := p.next()
		if name.kind != word && name.kind != quotedName {
			return "", fmt.Errorf("want a field's name, got %q", name.text)
		}
		if p.peek().text == ":" {
			p.next()
		}
		fieldType, err := p.typeName()
		if err != nil {
			return "", err
		}
		fields = append(fields, quoteJSON(unquoteName(name.text))+":"+fieldType)
		if p.peek().text != "," {
			return "{" + strings.Join(fields, ",") + "}", nil
		}
		p.next()
	}
}

// unquoteName removes the backticks of a name.
func unquoteName(name string) string {
	if !strings.HasPrefix(name, "`") {
		return name
	}
	return strings.ReplaceAll(name[1:len(name)-1], "``", "`")
}

func quoteJSON(s string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // neither a string nor a buffer fails
	return strings.TrimSpace(b.String())
}
