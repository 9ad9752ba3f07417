package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/tasklog"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// LogPrinter prints the lines of workers: unchanged as JSON, or for the reader.
type LogPrinter struct {
	view  *View
	raw   bool
	names int // width of the ids of the tasks
	width int // 0 if lines are not wrapped
	day   string
	// Lines counts the lines.
	Lines int
}

// NewLogPrinter returns a printer of the logs of a run in one of the output formats.
func (v *View) NewLogPrinter(form string, run history.Run) *LogPrinter {
	p := &LogPrinter{view: v, raw: form == "json"}
	for _, id := range run.TaskIDs() {
		p.names = max(p.names, len(id))
	}
	if width, known := term.Columns(v.Out); known { // in a pipe a line remains one line, for grep
		p.width = width
	}
	return p
}

// Print prints lines.
func (p *LogPrinter) Print(lines []tasklog.Line) error {
	p.Lines += len(lines)
	for _, line := range lines {
		if p.raw {
			if _, err := fmt.Fprintf(p.view.Out, "%s\n", line.Raw); err != nil {
				return err
			}
			continue
		}
		p.readable(line)
	}
	return nil
}

// fieldsShownApart holds the fields with columns of their own, and those that all lines of a run
// share.
var fieldsShownApart = []string{
	"time", "level", "msg", "dag", "logical_date", "task", "try", "activity", "activity_id", "attempt", "run_id", "workflow_id", "workflow",
	"namespace", "task_queue", "worker_id", "worker_type",
}

// readable prints a line: time, level, task, try, activity, message, and the other fields as
// key=value.
func (p *LogPrinter) readable(line tasklog.Line) {
	fields, names := logFields(line.Raw)
	if day := line.Time.UTC().Format("2006-01-02"); day != p.day {
		p.day = day
		p.view.Say("%s", p.view.Paint(text.Bold, day+" (UTC)"))
	}
	level, _ := fields["level"].(string)
	head := fmt.Sprintf("%s %s %s %d  ", line.Time.UTC().Format("15:04:05.000"), p.view.paintLevel(level), term.Pad(line.Log.Task, p.names), line.Log.Try)
	message, _ := fields["msg"].(string)
	said := line.Log.Activity
	if line.Log.Attempt > 1 {
		said += fmt.Sprintf(" (attempt %d)", line.Log.Attempt)
	}
	said += ": " + message
	var long []string // texts of several lines are printed below
	for _, name := range names {
		if slices.Contains(fieldsShownApart, name) {
			continue
		}
		value := fieldValue(fields[name])
		if strings.Contains(value, "\n") {
			long = append(long, "  "+name+":\n"+p.block(value, 4))
			continue
		}
		if strings.ContainsAny(value, " \"") || value == "" {
			value = strconv.Quote(value)
		}
		said += "  " + p.view.Paint(text.FgHiBlack, name+"=") + value
	}
	p.view.Say("%s", p.hang(head, said))
	for _, block := range long {
		p.view.Say("%s", block)
	}
}

// logFields returns the fields of a line, and their names in the order in which they were written.
// A line that is not a JSON object has none.
func logFields(raw []byte) (fields map[string]any, names []string) {
	if json.Unmarshal(raw, &fields) != nil {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	depth, key := 0, true
	for {
		token, err := decoder.Token()
		if err != nil {
			return fields, names
		}
		switch delim, _ := token.(json.Delim); {
		case delim == '{', delim == '[':
			depth, key = depth+1, true
		case delim == '}', delim == ']':
			depth, key = depth-1, true
		case depth == 1 && key:
			names, key = append(names, fmt.Sprint(token)), false
		default:
			key = true
		}
	}
}

// fieldValue returns the value of a field for the reader.
func fieldValue(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(body)
}

// hang puts a text after its head. What does not fit the line continues below, indented.
func (p *LogPrinter) hang(head, said string) string {
	const right = 4
	length := text.StringWidthWithoutEscSequences(head)
	if p.width == 0 || length+text.StringWidthWithoutEscSequences(said) <= p.width {
		return head + said
	}
	if p.width-length < 20 { // nothing sensible fits beside the head
		return head + said
	}
	first, rest := term.SplitAt(said, p.width-length)
	return head + first + "\n" + p.block(rest, right)
}

// block returns a text of several lines, indented.
func (p *LogPrinter) block(s string, right int) string {
	margin := strings.Repeat(" ", right)
	lines := strings.Split(p.wrap(strings.TrimRight(s, "\n"), right), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(margin+line, " ")
	}
	return strings.Join(lines, "\n")
}

// wrap breaks a text into lines that fit the width, less a margin.
func (p *LogPrinter) wrap(s string, margin int) string {
	if p.width == 0 {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = term.WrapLine(line, max(20, p.width-margin))
	}
	return strings.Join(lines, "\n")
}

// levelColors holds the colors of levels that need attention.
var levelColors = map[string]text.Color{"WARN": text.FgYellow, "ERROR": text.FgRed, "DEBUG": text.FgHiBlack}

func (v *View) paintLevel(level string) string {
	padded := term.Pad(level, len("ERROR"))
	if color, ok := levelColors[level]; ok {
		return v.Paint(color, padded)
	}
	return padded
}

// paintResult returns the result of a Databricks run in its color.
func (v *View) paintResult(state string) string {
	switch state {
	case "SUCCESS":
		return mark.Color(v.Term, run.Success, state)
	case "FAILED", "TIMEDOUT", "CANCELED", "INTERNAL_ERROR":
		return mark.Color(v.Term, run.Failed, state)
	}
	return state
}
