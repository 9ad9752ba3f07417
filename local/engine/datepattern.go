package engine

import (
	"fmt"
	"strings"
)

// datePatterns are the letters of Databricks' date patterns, longest first, and their equivalents in
// strftime. https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-datetime-pattern
var datePatterns = []struct{ letters, strftime string }{
	{"yyyy", "%Y"}, {"uuuu", "%Y"}, {"yy", "%y"}, {"y", "%Y"},
	{"MMMM", "%B"}, {"MMM", "%b"}, {"MM", "%m"}, {"M", "%-m"},
	{"dd", "%d"}, {"d", "%-d"}, {"DDD", "%j"}, {"D", "%-j"},
	{"EEEE", "%A"}, {"EEE", "%a"}, {"EE", "%a"}, {"E", "%a"},
	{"HH", "%H"}, {"H", "%-H"}, {"hh", "%I"}, {"h", "%-I"}, {"mm", "%M"}, {"m", "%-M"}, {"ss", "%S"}, {"s", "%-S"},
	{"SSSSSS", "%f"}, {"SSS", "%g"}, {"a", "%p"},
}

// strftime converts a date pattern. A letter without an equivalent is an error that names it.
func strftime(pattern string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(pattern); {
		c := pattern[i]
		if c == '\'' {
			end := strings.IndexByte(pattern[i+1:], '\'')
			if end < 0 {
				return "", fmt.Errorf("the pattern %q has an open quote", pattern)
			}
			text := pattern[i+1 : i+1+end]
			if text == "" {
				text = "'"
			}
			b.WriteString(strings.ReplaceAll(text, "%", "%%"))
			i += end + 2
			continue
		}
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			b.WriteString(strings.ReplaceAll(string(c), "%", "%%"))
			i++
			continue
		}
		run := i
		for run < len(pattern) && pattern[run] == c {
			run++
		}
		found := false
		for _, p := range datePatterns {
			if p.letters == pattern[i:run] {
				b.WriteString(p.strftime)
				found = true
				break
			}
		}
		if !found {
			return "", fmt.Errorf("the letters %s of the pattern %q are not translated by the embedded engine; use the letters y, M, d, E, H, h, m, s, S and a", pattern[i:run], pattern)
		}
		i = run
	}
	return b.String(), nil
}

func dateFormat(args []string) (string, error) {
	if len(args) != 2 {
		return "", errArguments(2, args)
	}
	format, err := constantFormat(args[1])
	return fmt.Sprintf("strftime(CAST(%s AS TIMESTAMP), %s)", args[0], format), err
}

// parseTime converts to_date and to_timestamp.
func parseTime(kind string, args []string) (string, error) {
	switch len(args) {
	case 1:
		return fmt.Sprintf("CAST(%s AS %s)", args[0], kind), nil
	case 2:
		format, err := constantFormat(args[1])
		return fmt.Sprintf("CAST(strptime(%s, %s) AS %s)", args[0], format, kind), err
	}
	return "", errArguments(2, args)
}

func constantFormat(sql string) (string, error) {
	pattern, ok := literal(sql)
	if !ok {
		return "", fmt.Errorf("the embedded engine translates constant patterns only, not %s", sql)
	}
	format, err := strftime(pattern)
	return quoteString(format), err
}
