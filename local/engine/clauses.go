package engine

// dropSchemaWord turns USE SCHEMA x into USE x.
func dropSchemaWord(toks []token) []token {
	i := skip(toks, 0)
	if i >= len(toks) || toks[i].upper() != "USE" {
		return toks
	}
	k := skip(toks, i+1)
	if word := at(toks, k).upper(); word != "SCHEMA" && word != "DATABASE" {
		return toks
	}
	return append(append([]token(nil), toks[:k]...), toks[k+1:]...)
}

// dropTableClauses removes the clauses of Delta from CREATE TABLE: USING, CLUSTER BY, PARTITIONED
// BY, COMMENT, TBLPROPERTIES, LOCATION. They are between the name or the columns and AS.
func dropTableClauses(toks []token) []token {
	if !isCreateTable(toks) {
		return toks
	}
	var kept []token
	depth := 0
	for i := 0; i < len(toks); i++ {
		t := toks[i]
		switch {
		case t.text == "(":
			depth++
		case t.text == ")":
			depth--
		case depth == 0 && t.upper() == "AS":
			return append(kept, toks[i:]...)
		case depth == 0:
			if next := clauseEnd(toks, i); next > i {
				i = next - 1
				continue
			}
		}
		kept = append(kept, t)
	}
	return kept
}

func isCreateTable(toks []token) bool {
	i := skip(toks, 0)
	if at(toks, i).upper() != "CREATE" {
		return false
	}
	i = skip(toks, i+1)
	if at(toks, i).upper() == "OR" {
		i = skip(toks, skip(toks, i+1)+1)
	}
	return at(toks, i).upper() == "TABLE"
}

// clauseEnd returns the index after the clause that starts at i, or i if none does.
func clauseEnd(toks []token, i int) int {
	switch toks[i].upper() {
	case "USING", "COMMENT", "LOCATION": // one word or literal follows
		return skip(toks, i+1) + 1
	case "CLUSTER", "PARTITIONED": // BY (…)
		if _, next, ok := call(toks, skip(toks, i+1)); ok {
			return next
		}
	case "TBLPROPERTIES":
		if _, next, ok := call(toks, i); ok {
			return next
		}
	}
	return i
}

// replaceWhere splits INSERT INTO t REPLACE WHERE condition query, which on Databricks replaces the
// rows of the condition atomically.
func replaceWhere(toks []token) (target, condition, query []token, ok bool) {
	i := skip(toks, 0)
	if at(toks, i).upper() != "INSERT" || at(toks, i+1).upper() != "INTO" {
		return nil, nil, nil, false
	}
	start := skip(toks, skip(toks, i+1)+1)
	if at(toks, start).upper() == "TABLE" {
		start = skip(toks, start+1)
	}
	depth, where := 0, 0
	for k := start; k < len(toks); k++ {
		switch toks[k].text {
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth != 0 {
			continue
		}
		switch upper := toks[k].upper(); {
		case where == 0 && (upper == "SELECT" || upper == "WITH" || upper == "VALUES"):
			return nil, nil, nil, false
		case where == 0 && upper == "REPLACE" && at(toks, k+1).upper() == "WHERE":
			target = toks[start:k:k]
			k = skip(toks, k+1)
			where = k + 1
		case where > 0 && (upper == "SELECT" || upper == "WITH"):
			return target, toks[where:k:k], toks[k:], true
		}
	}
	return nil, nil, nil, false
}
