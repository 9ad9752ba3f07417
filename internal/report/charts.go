package report

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/report/chart"
)

// chartBars is how many bars a chart has at most: the largest, of countries for example.
const chartBars = 15

// leastBars is how many bars a chart of the largest has at least.
const leastBars = 5

// saidValues is how many values the alternative text of a chart says. The table has all.
const saidValues = 5

// chartOf returns the chart of an answer: lines over years, or bars. Its last column holds the
// values. An answer that is not of this form, or has fewer than two rows, has none.
func chartOf(answer answers.Answer) (figure, error) {
	last := len(answer.Columns) - 1
	if last < 1 || len(answer.Rows) < 2 || answer.Columns[last].Kind == answers.Text || answer.Columns[last].Kind == answers.Year {
		return figure{}, nil
	}
	year := slices.IndexFunc(answer.Columns, func(c answers.Column) bool { return c.Kind == answers.Year })
	if year == 0 || year == 1 && last == 2 {
		if found, err := lines(answer, year); err != nil || found.SVG != "" {
			return found, err
		}
	}
	return bars(answer)
}

// lines draws lines over the years in that column: one, whose points are named by the texts between
// the year and the value, or a line for each text of the first column. It draws none if there are
// more lines than a reader can tell apart, or if a year has several values.
func lines(answer answers.Answer, year int) (figure, error) {
	c := chart.Lines{Text: short}
	for _, row := range answer.Rows {
		value, ok := number(row[len(row)-1])
		at, known := row[year].(int64)
		if !ok || !known {
			continue
		}
		name, note := "", ""
		if year == 0 {
			note = undirected(noteOf(answer, row))
		} else {
			name = written(row[0], answers.Text)
		}
		if !add(&c, name, chart.Point{Year: at, Value: value, Note: note}) {
			return figure{}, nil
		}
	}
	if len(c.Series) == 0 || len(c.Series) > chart.MaxSeries {
		return figure{}, nil
	}
	last := len(answer.Columns) - 1
	caption := fmt.Sprintf("%s by %s", capital(answer.Columns[last].Title), answer.Columns[year].Title)
	if year == 0 && last > 1 {
		caption += ", with " + answer.Columns[1].Title
	}
	if c.Logarithmic() {
		caption += ", on a logarithmic scale"
	}
	c.Label = fmt.Sprintf("Line chart. %s. %s.", caption, sentence(said(c), saidValues))
	svg, err := c.SVG()
	return figure{template.HTML(svg), caption}, err
}

// add adds a point to the line of that name. Points of a year that tie share one. It reports whether
// that was possible: a line has one value in each year.
func add(c *chart.Lines, name string, point chart.Point) bool {
	i := slices.IndexFunc(c.Series, func(s chart.Series) bool { return s.Name == name })
	if i < 0 {
		i, c.Series = len(c.Series), append(c.Series, chart.Series{Name: name})
	}
	points := c.Series[i].Points
	at := slices.IndexFunc(points, func(p chart.Point) bool { return p.Year == point.Year })
	if at < 0 {
		c.Series[i].Points = append(points, point)
		return true
	}
	points[at].Note += ", " + point.Note
	return points[at].Value == point.Value
}

// said returns the points of a chart as texts.
func said(c chart.Lines) (all []string) {
	for _, series := range c.Series {
		for _, point := range series.Points {
			texts := []string{series.Name, strconv.FormatInt(point.Year, 10), point.Note}
			texts = slices.DeleteFunc(texts, func(text string) bool { return text == "" })
			all = append(all, strings.Join(texts, ", ")+": "+decimal(point.Value))
		}
	}
	return all
}

// bars draws a bar for each value of the first column, in the order of the rows. Rows that tie share
// a bar; of many the largest are drawn.
func bars(answer answers.Answer) (figure, error) {
	last := len(answer.Columns) - 1
	var all []group
	for _, row := range answer.Rows {
		value, ok := number(row[last])
		if !ok || value < 0 {
			continue
		}
		key := written(row[0], answer.Columns[0].Kind)
		if n := len(all) - 1; n < 0 || all[n].key != key || all[n].value != value {
			all = append(all, group{key: key, value: value})
		}
		if note := noteOf(answer, row); note != "" {
			n := len(all) - 1
			all[n].notes = append(all[n].notes, note)
		}
	}
	if len(all) < 2 {
		return figure{}, nil
	}
	caption := capital(answer.Columns[last].Title) + " by " + answer.Columns[0].Title
	if n := len(all); n > chartBars {
		all = largest(all)
		what := "the %d largest of %d"
		if all[0].value == all[len(all)-1].value {
			what = "%d of %d, all with the same value"
		}
		caption = fmt.Sprintf("%s: "+what+". The table has all.", caption, len(all), n)
	}
	c := chart.Bars{}
	var said []string
	for _, g := range all {
		c.Bars = append(c.Bars, chart.Bar{Label: g.label(), Value: g.value, Text: decimal(g.value)})
		said = append(said, g.label()+": "+decimal(g.value))
	}
	c.Label = fmt.Sprintf("Bar chart. %s %s.", strings.TrimSuffix(caption, ".")+".", sentence(said, saidValues))
	svg, err := c.SVG()
	return figure{template.HTML(svg), caption}, err
}

// largest returns the groups that are drawn of many. If some with the last of their values are left
// out, all with that value are, as long as that leaves some.
func largest(all []group) []group {
	slices.SortStableFunc(all, func(a, b group) int { return cmp.Compare(b.value, a.value) })
	n := chartBars
	for n > 0 && all[n-1].value == all[chartBars].value {
		n--
	}
	if n < leastBars {
		n = chartBars
	}
	return all[:n]
}

// group is the rows of an answer that share a bar.
type group struct {
	key   string
	notes []string
	value float64
}

func (g group) label() string {
	if len(g.notes) == 0 {
		return undirected(g.key)
	}
	return undirected(g.key + " · " + strings.Join(g.notes, ", "))
}

// undirected returns a text without the characters that turn the direction of what follows: in a
// label they would turn the values beside them.
func undirected(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, s)
}

// noteOf returns the values between the first and the last column.
func noteOf(answer answers.Answer, row []any) string {
	var between []string
	for i := 1; i < len(row)-1; i++ {
		between = append(between, written(row[i], answer.Columns[i].Kind))
	}
	return strings.Join(between, ", ")
}

func number(value any) (float64, bool) {
	switch v := value.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
