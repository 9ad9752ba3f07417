package term

import (
	"strings"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Join joins names with commas.
func Join(names []string) string { return strings.Join(names, ", ") }

// ShortMiddle cuts a name to the width in its middle, where the names of tables differ least.
func ShortMiddle(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width || width < 3 {
		return Short(s, width)
	}
	end := (width - 1) / 2
	return string(runes[:width-1-end]) + "…" + string(runes[len(runes)-end:])
}

// Flow joins items with blanks, in lines that fit the width.
func Flow(width int, items []string) string {
	var b strings.Builder
	at := 0
	for _, item := range items {
		length := text.StringWidthWithoutEscSequences(item)
		switch {
		case at == 0:
		case at+3+length > width:
			b.WriteString("\n")
			at = 0
		default:
			b.WriteString("   ")
			at += 3
		}
		b.WriteString(item)
		at += length
	}
	return b.String()
}

// Pad fills a text with blanks up to the width; colors do not count.
func Pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-text.StringWidthWithoutEscSequences(s)))
}

// PadLeft is Pad with the text at the right.
func PadLeft(s string, width int) string {
	return strings.Repeat(" ", max(0, width-text.StringWidthWithoutEscSequences(s))) + s
}

// Short cuts a text to the width, and marks the cut.
func Short(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width-1)]) + "…"
}

// WrapLine breaks a line into lines that fit the width, between words if possible.
func WrapLine(line string, width int) string {
	var out []string
	for text.StringWidthWithoutEscSequences(line) > width {
		var first string
		first, line = SplitAt(line, width)
		out = append(out, first)
	}
	return strings.Join(append(out, line), "\n")
}

// SplitAt returns the start of a text that fits the width, whole words if possible, and the rest.
// Colors do not count.
func SplitAt(s string, width int) (first, rest string) {
	end, last, at, escape := len(s), -1, 0, false
	for i, r := range s {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			if r == ' ' {
				last = i
			}
			if at++; at > width {
				end = i
			}
		}
		if at > width {
			break
		}
	}
	if end == len(s) {
		return s, ""
	}
	if last > 0 {
		end = last
	}
	return strings.TrimRight(s[:end], " "), strings.TrimLeft(s[end:], " ")
}

// FirstLine returns the first line of a text, cut to a number of characters.
func FirstLine(s string, limit int) string {
	line, _, more := strings.Cut(strings.TrimSpace(s), "\n")
	if runes := []rune(line); len(runes) > limit {
		line, more = string(runes[:limit-1]), true
	}
	if more {
		line += "…"
	}
	return line
}

// Indent indents each line of a text.
func Indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ")
}
