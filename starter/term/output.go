package term

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Wrapped breaks a line that does not fit the screen. In a pipe it remains one line.
func (t *Term) Wrapped(line string) string {
	if width, known := Columns(t.Out); known {
		return WrapLine(line, width)
	}
	return line
}

// Hanging is Wrapped with the lines after the first one indented.
func (t *Term) Hanging(line string, indent int) string {
	width, known := Columns(t.Out)
	if !known || text.StringWidthWithoutEscSequences(line) <= width {
		return line
	}
	first, rest := SplitAt(line, width)
	margin := strings.Repeat(" ", min(indent, width/2))
	return first + "\n" + margin + strings.ReplaceAll(WrapLine(rest, width-len(margin)), "\n", "\n"+margin)
}

// JSON writes a value as indented JSON to standard output.
func (t *Term) JSON(value any) error {
	encoder := json.NewEncoder(t.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// Say writes a line to standard output.
func (t *Term) Say(format string, args ...any) {
	fmt.Fprintf(t.Out, format+"\n", args...)
}

// Log writes a line about the work, not its result, to standard error: programs that read the
// output do not see it.
func (t *Term) Log(format string, args ...any) {
	fmt.Fprintf(t.Err, format+"\n", args...)
}

// Paint returns a text in a color, if the terminal shows colors.
func (t *Term) Paint(color text.Color, s string) string {
	if !t.Color || s == "" {
		return s
	}
	return text.Escape(s, color.EscapeSeq())
}

// PaintDiff returns a unified diff with colored lines.
func (t *Term) PaintDiff(diff string) string {
	if !t.Color {
		return diff
	}
	lines := strings.SplitAfter(diff, "\n")
	for i, line := range lines {
		body := strings.TrimSuffix(line, "\n")
		end := line[len(body):]
		switch {
		case strings.HasPrefix(body, "+++"), strings.HasPrefix(body, "---"):
			lines[i] = t.Paint(text.Bold, body) + end
		case strings.HasPrefix(body, "+"):
			lines[i] = t.Paint(text.FgGreen, body) + end
		case strings.HasPrefix(body, "-"):
			lines[i] = t.Paint(text.FgRed, body) + end
		case strings.HasPrefix(body, "@@"):
			lines[i] = t.Paint(text.FgCyan, body) + end
		}
	}
	return strings.Join(lines, "")
}

// Heading returns a heading.
func (t *Term) Heading(s string) string { return t.Paint(text.Bold, strings.ToUpper(s)+":") }

// Took returns how long something took, or has taken so far.
func (t *Term) Took(started, ended time.Time) string {
	switch {
	case started.IsZero():
		return ""
	case ended.IsZero():
		return Duration(max(0, t.Now().Sub(started))) // this machine's clock may be behind the server's
	}
	return Duration(ended.Sub(started))
}

// Confirm asks the operator to type a name before something is deleted or ended.
func (t *Term) Confirm(name, warning string) error {
	fmt.Fprintf(t.Err, "%s\nType %s to confirm: ", warning, name)
	answer, err := bufio.NewReader(t.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if typed := strings.TrimSpace(answer); typed != name {
		return fmt.Errorf("nothing was changed: %q is not %s", typed, name)
	}
	return nil
}
