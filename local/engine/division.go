package engine

import "slices"

// DuckDB's // divides only integers as DIV does: of decimals it gives the quotient with its
// fraction. The macro div gives the integral part of both, as a BIGINT.
// https://docs.databricks.com/aws/en/sql/language-manual/functions/div
const divMacro = "CREATE OR REPLACE TEMP MACRO div(a BIGINT, b BIGINT) AS " +
	"CASE WHEN b = 0 THEN error(" + byZero + ") ELSE CAST(a // b AS BIGINT) END, " +
	"(a, b) AS CASE WHEN b = 0 THEN error(" + byZero + ") ELSE CAST(round((a - a % b) / b) AS BIGINT) END"

const byZero = "'[DIVIDE_BY_ZERO] Division by zero. Use NULLIF(<divisor>, 0) to get NULL instead. SQLSTATE: 22012'"

// divisions turns a DIV b into div(a, b). DIV binds as * does, and its left operand is all that is
// multiplied before it.
func divisions(toks []token) []token {
	for i := 0; i < len(toks); i++ {
		if toks[i].upper() != "DIV" || toks[i].kind != word || !afterOperand(toks, i) {
			continue
		}
		from, to := factorsBefore(toks, i), operandAfter(toks, i+1)
		if to == i+1 {
			continue // a column of that name
		}
		toks = slices.Concat(toks[:from], []token{{word, "div"}, {operator, "("}}, toks[from:i],
			[]token{{operator, ","}}, toks[i+1:to], []token{{operator, ")"}}, toks[to:])
		i = from + 1 // the operands may have divisions, too
	}
	return toks
}

// factorsBefore returns the index at which the factors begin that end before toks[i].
func factorsBefore(toks []token, i int) int {
	for {
		start := operandBefore(toks, i)
		sign := before(toks, start)
		if sign < 0 || !slices.Contains([]string{"*", "/", "%"}, toks[sign].text) {
			return start
		}
		i = sign
	}
}

// operandBefore returns the index at which the operand begins that ends before toks[i]: a value, a
// path, a call, with its sign.
func operandBefore(toks []token, i int) int {
	for {
		start := before(toks, i)
		switch toks[start].upper() {
		case ")", "]", "END":
			start = opening(toks, start)
			if afterOperand(toks, start) { // a call, an element
				i = start
				continue
			}
		}
		last := before(toks, start)
		switch {
		case last >= 0 && slices.Contains([]string{".", "::", ":"}, toks[last].text):
			i = last
			continue
		case last >= 0 && toks[start].kind == word && toks[last].kind == number && last == start-1: // 2.5D
			start, last = last, before(toks, last)
		}
		if last >= 0 && (toks[last].text == "-" || toks[last].text == "+") && !afterOperand(toks, last) {
			return last
		}
		return start
	}
}

// operandAfter returns the index behind the operand that begins at or after toks[i], or i without one.
func operandAfter(toks []token, i int) int {
	k := skip(toks, i)
	for at(toks, k).text == "-" || at(toks, k).text == "+" {
		k = skip(toks, k+1)
	}
	if first := at(toks, k); first.text == "" || first.kind == operator && first.text != "(" {
		return i
	}
	for {
		switch {
		case toks[k].text == "(" || toks[k].upper() == "CASE":
			k = closing(toks, k)
		case toks[k].kind == number && k+1 < len(toks) && toks[k+1].kind == word: // 2.5D
			k += 2
		default:
			k++
		}
		for at(toks, k).text == "(" || at(toks, k).text == "[" { // a call, an element
			k = closing(toks, skip(toks, k))
		}
		if next := at(toks, k).text; next != "." && next != "::" && next != ":" {
			return k
		}
		if k = skip(toks, skip(toks, k)+1); k == len(toks) {
			return k
		}
	}
}

// closing returns the index behind the bracket that closes the one at i, or behind the END of a CASE.
func closing(toks []token, i int) int {
	for depth := 0; i < len(toks); i++ {
		switch toks[i].upper() {
		case "(", "[", "CASE":
			depth++
		case ")", "]", "END":
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return i
}

// opening returns the index of the bracket that the one at i closes, or of the CASE of an END.
func opening(toks []token, i int) int {
	for depth := 0; i > 0; i-- {
		switch toks[i].upper() {
		case ")", "]", "END":
			depth++
		case "(", "[", "CASE":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return i
}

// before returns the index of the last token before i that is no space, or -1.
func before(toks []token, i int) int {
	for i--; i >= 0 && toks[i].kind == space; i-- {
	}
	return i
}
