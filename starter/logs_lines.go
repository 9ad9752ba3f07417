package main

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
)

// logPrinter prints lines of workers: as they are for programs, else so that they can be read.
type logPrinter struct {
	app   *app
	raw   bool
	names int // how wide the tasks' names are
	width int // 0 if lines are not to be wrapped
	day   string
	lines int
}

func (a *app) newLogPrinter(form string, run dateRun) *logPrinter {
	p := &logPrinter{app: a, raw: form == formJSON}
	for _, id := range idsOf(run.Tasks) {
		p.names = max(p.names, len(id))
	}
	if width, known := columns(a.stdout); known { // in a pipe a line stays a line, for grep
		p.width = width
	}
	return p
}

func (p *logPrinter) print(lines []tasklog.Line) error {
	p.lines += len(lines)
	for _, line := range lines {
		if p.raw {
			if _, err := fmt.Fprintf(p.app.stdout, "%s\n", line.Raw); err != nil {
				return err
			}
			continue
		}
		p.readable(line)
	}
	return nil
}

// fieldsShownApart are those that stand in columns of their own, and those that all lines of a run share.
var fieldsShownApart = []string{
	"time", "level", "msg", "dag", "logical_date", "task", "try", "activity", "activity_id", "attempt", "run_id", "workflow_id", "workflow",
	"namespace", "task_queue", "worker_id", "worker_type",
}

// readable prints a line: time, level, task, try, activity, message, and the other fields as key=value.
func (p *logPrinter) readable(line tasklog.Line) {
	fields, names := logFields(line.Raw)
	if day := line.Time.UTC().Format("2006-01-02"); day != p.day {
		p.day = day
		p.app.say("%s", p.app.paint(text.Bold, day+" (UTC)"))
	}
	level, _ := fields["level"].(string)
	head := fmt.Sprintf("%s %s %s %d  ", line.Time.UTC().Format("15:04:05.000"), p.app.paintLevel(level), pad(line.Log.Task, p.names), line.Log.Try)
	message, _ := fields["msg"].(string)
	said := line.Log.Activity
	if line.Log.Attempt > 1 {
		said += fmt.Sprintf(" (attempt %d)", line.Log.Attempt)
	}
	said += ": " + message
	var long []string // texts of more than a line stand below
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
		said += "  " + p.app.paint(text.FgHiBlack, name+"=") + value
	}
	p.app.say("%s", p.hang(head, said))
	for _, block := range long {
		p.app.say("%s", block)
	}
}

// logFields are a line's fields, and their names in the order in which they were written. A line that is no JSON object has none.
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

// fieldValue is a field's value as people read it.
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

// hang puts a text behind its head. What does not fit the line goes on below, a little to the right of the line's start.
func (p *logPrinter) hang(head, said string) string {
	const right = 4
	length := text.StringWidthWithoutEscSequences(head)
	if p.width == 0 || length+text.StringWidthWithoutEscSequences(said) <= p.width {
		return head + said
	}
	if p.width-length < 20 { // nothing sensible fits beside the head
		return head + said
	}
	first, rest := splitAt(said, p.width-length)
	return head + first + "\n" + p.block(rest, right)
}

// block is a text of some lines, further to the right.
func (p *logPrinter) block(s string, right int) string {
	margin := strings.Repeat(" ", right)
	lines := strings.Split(p.wrap(strings.TrimRight(s, "\n"), right), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(margin+line, " ")
	}
	return strings.Join(lines, "\n")
}

// wrap breaks a text into lines for the width, less a margin.
func (p *logPrinter) wrap(s string, margin int) string {
	if p.width == 0 {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = wrapLine(line, max(20, p.width-margin))
	}
	return strings.Join(lines, "\n")
}

// wrapLine breaks a line between words where it can.
func wrapLine(line string, width int) string {
	var out []string
	for text.StringWidthWithoutEscSequences(line) > width {
		var first string
		first, line = splitAt(line, width)
		out = append(out, first)
	}
	return strings.Join(append(out, line), "\n")
}

// splitAt takes from a text what fits the width: whole words, or a part of the first if that alone is too long. Colours do not count.
func splitAt(s string, width int) (first, rest string) {
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

// levelColours are the colours of what wants a look.
var levelColours = map[string]text.Color{"WARN": text.FgYellow, "ERROR": text.FgRed, "DEBUG": text.FgHiBlack}

func (a *app) paintLevel(level string) string {
	padded := pad(level, len("ERROR"))
	if colour, ok := levelColours[level]; ok {
		return a.paint(colour, padded)
	}
	return padded
}

// paintResult colours what Databricks says of a run that has ended.
func (a *app) paintResult(state string) string {
	switch state {
	case "SUCCESS":
		return a.paintState(run.Success, state)
	case "FAILED", "TIMEDOUT", "CANCELED", "INTERNAL_ERROR":
		return a.paintState(run.Failed, state)
	}
	return state
}
