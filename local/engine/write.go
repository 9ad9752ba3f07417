package engine

// operation is what a statement does to a table, as far as concurrent writes conflict.
type operation int

const (
	// reading writes no table that other sessions see.
	reading operation = iota
	// appending adds rows and reads nothing of the table: an INSERT.
	appending
	// rewriting adds, changes or removes rows by what it has read of the table.
	rewriting
	// replacing gives the table other rows and columns: CREATE OR REPLACE TABLE.
	replacing
	// defining creates, changes or drops a table, view or schema without reading rows.
	defining
)

// write is a statement's write.
type write struct {
	operation operation
	// name is the statement in Delta's words, as in the operation of a table's history.
	name string
	// target is the name of the table.
	target []token
	// rows is the condition of the rows that the write reads and removes; nil is all rows.
	rows []token
	// source is the part of the statement that may read the target, too.
	source []token
	// ifMissing is a definition that does nothing if the target exists.
	ifMissing bool
}

// writeOf returns what a statement writes.
func writeOf(toks []token) write {
	c := &cursor{toks: toks}
	if c.accept("WITH") { // WITH … INSERT
		c.i = mainVerb(toks, c.i)
	}
	switch c.next() {
	case "INSERT":
		return c.insert()
	case "MERGE":
		if c.accept("WITH") { // SCHEMA EVOLUTION
			c.next()
			c.next()
		}
		c.accept("INTO")
		return write{operation: rewriting, name: "MERGE", target: c.name(), source: c.rest()}
	case "UPDATE":
		return write{operation: rewriting, name: "UPDATE", target: c.name(), rows: where(c.rest()), source: c.rest()}
	case "DELETE":
		c.accept("FROM")
		return write{operation: rewriting, name: "DELETE", target: c.name(), rows: where(c.rest()), source: c.rest()}
	case "TRUNCATE":
		c.accept("TABLE")
		return write{operation: rewriting, name: "TRUNCATE", target: c.name()}
	case "REPLACE":
		return c.create(true)
	case "CREATE":
		replace := c.accept("OR")
		if replace {
			c.next()
		}
		return c.create(replace)
	case "ALTER", "DROP":
		what := c.next()
		c.accept("IF")
		c.accept("EXISTS")
		return write{operation: defining, name: upper(toks) + " " + what, target: c.name()}
	}
	return write{}
}

func (c *cursor) insert() write {
	overwrite := c.accept("OVERWRITE")
	c.accept("INTO")
	c.accept("TABLE")
	w := write{operation: appending, name: "WRITE", target: c.name(), source: c.rest()}
	if overwrite {
		w.operation = rewriting
	}
	if _, condition, query, ok := replaceWhere(c.toks); ok {
		w.operation, w.rows, w.source = rewriting, condition, append(append([]token(nil), condition...), query...)
	}
	return w
}

func (c *cursor) create(replace bool) write {
	c.accept("EXTERNAL")
	what := c.next()
	switch what {
	case "TABLE", "VIEW", "SCHEMA", "DATABASE":
	default:
		return write{} // TEMPORARY VIEW, FUNCTION: of this session
	}
	w := write{operation: defining, name: "CREATE " + what}
	if c.accept("IF") {
		c.next()
		c.next()
		w.ifMissing = true
	}
	w.target = c.name()
	if replace && what == "TABLE" {
		w.operation, w.name = replacing, "CREATE OR REPLACE TABLE"
	}
	return w
}

// mainVerb returns the index of the verb after the common table expressions that start at i.
func mainVerb(toks []token, i int) int {
	depth := 0
	for ; i < len(toks); i++ {
		switch toks[i].text {
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth != 0 {
			continue
		}
		switch toks[i].upper() {
		case "INSERT", "MERGE", "UPDATE", "DELETE", "SELECT":
			return i
		}
	}
	return i
}

// where returns the condition of an UPDATE or DELETE; nil is all rows.
func where(toks []token) []token {
	depth := 0
	for i, t := range toks {
		switch {
		case t.text == "(":
			depth++
		case t.text == ")":
			depth--
		case depth == 0 && t.upper() == "WHERE":
			return toks[i+1:]
		}
	}
	return nil
}

func upper(toks []token) string { return at(toks, 0).upper() }

// cursor reads the words of a statement.
type cursor struct {
	toks []token
	i    int
}

// next returns the next word in upper case.
func (c *cursor) next() string {
	t := at(c.toks, c.i)
	c.i = skip(c.toks, c.i) + 1
	return t.upper()
}

// accept skips the next word if it is the given one.
func (c *cursor) accept(word string) bool {
	if at(c.toks, c.i).upper() != word {
		return false
	}
	c.next()
	return true
}

// name reads a qualified name, or IDENTIFIER(…).
func (c *cursor) name() []token {
	start := skip(c.toks, c.i)
	c.i = start
	if at(c.toks, start).upper() == "IDENTIFIER" {
		if _, next, ok := call(c.toks, start); ok {
			c.i = next
			return c.toks[start:next:next]
		}
	}
	end := start
	for c.i < len(c.toks) {
		c.i = skip(c.toks, c.i) + 1
		end = c.i
		if at(c.toks, c.i).text != "." {
			break
		}
		c.i = skip(c.toks, c.i) + 1
	}
	end = min(end, len(c.toks))
	return c.toks[min(start, end):end:end]
}

// rest returns the tokens after the last word that was read.
func (c *cursor) rest() []token { return c.toks[min(c.i, len(c.toks)):] }
