package chart

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Lines is a chart of values over years, a line for each series: at most MaxSeries of them.
type Lines struct {
	// Label is the text for those who do not see the chart.
	Label  string
	Series []Series
	// Text writes a value, short enough for an axis.
	Text func(float64) string
}

// Series is one line. Its points are in the order of their years; Name is empty if there is only
// one.
type Series struct {
	Name   string
	Points []Point
}

// Point is the value of a year. The Note is written below the year, if there is one line and there
// is room.
type Point struct {
	Year  int64
	Value float64
	Note  string
}

const (
	noteLines = 2  // neighbors write in turns, so that each has the width of two years
	noteLine  = 16 // from a note to that below it
	noteGap   = 8  // between two notes in a line
	maxNotes  = 7  // years whose notes have room
)

// notes returns the points with notes, in the order of their years; none if there is no room.
func (l Lines) notes() []Point {
	if len(l.Series) != 1 || len(l.Series[0].Points) > maxNotes {
		return nil
	}
	points := slices.Clone(l.Series[0].Points)
	slices.SortFunc(points, func(a, b Point) int { return cmp.Compare(a.Year, b.Year) })
	if !slices.ContainsFunc(points, func(p Point) bool { return p.Note != "" }) {
		return nil
	}
	return points
}

// writeNotes writes notes below the years of their points. The first and the last of a line end where
// the canvas does.
func writeNotes(c, data draw.Canvas, years plot.Axis, notes []Point) {
	x := func(i int) vg.Length { return data.X(years.Norm(float64(notes[i].Year))) }
	style := textStyle(inkMiddle, smallSize)
	for i, note := range notes {
		left, right := c.Min.X, c.Max.X
		if before := i - noteLines; before >= 0 {
			left = (x(before)+x(i))/2 + noteGap/2
		}
		if after := i + noteLines; after < len(notes) {
			right = (x(i)+x(after))/2 - noteGap/2
		}
		text := fit(style, note.Note, right-left)
		half := style.Width(text) * fontSlack / 2
		at := vg.Point{X: min(max(x(i), left+half), right-half), Y: c.Min.Y + noteLine*vg.Length(noteLines-i%noteLines) - smallSize}
		c.FillText(style, at, text)
	}
}

// MaxSeries is how many lines a reader can tell apart by dashes and markers.
const MaxSeries = 4

const (
	linesHeight = 200
	legendLine  = 19
	// steep is the ratio of the largest to the smallest value beyond which the axis is
	// logarithmic: the small values would lie on it otherwise.
	steep = 50
)

// The dashes and markers of the series: they tell the lines apart without colors.
var (
	dashes  = [MaxSeries][]vg.Length{nil, {7, 3}, {2, 3}, {9, 3, 2, 3}}
	markers = [MaxSeries]draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}}
)

// SVG returns the chart as an <svg> element.
func (l Lines) SVG() (string, error) {
	p := plot.New()
	p.BackgroundColor = nil
	legend := plot.NewLegend()
	legend.TextStyle, legend.Left, legend.Top, legend.XOffs = textStyle(ink, textSize), true, true, 4
	legend.ThumbnailWidth, legend.Padding = 34, 4
	lines := plotter.NewGrid()
	lines.Vertical.Width, lines.Horizontal.Color, lines.Horizontal.Width = 0, grid.color, 1
	p.Add(lines)
	for i, series := range l.Series {
		line, points, err := l.line(i, series)
		if err != nil {
			return "", err
		}
		p.Add(line, points)
		legend.Add(series.Name, line, points)
	}
	if err := l.values(p); err != nil {
		return "", err
	}
	l.axes(p)
	height, room := vg.Length(linesHeight), vg.Length(0)
	if len(l.Series) > 1 {
		room = legendLine*vg.Length(len(l.Series)) + 6
	}
	notes := l.notes()
	if len(notes) > 0 {
		room = noteLine*noteLines + 2
	}
	return render(l.Label, height+room, func(c draw.Canvas) {
		plotted := draw.Crop(c, 0, -8, room, 0)
		p.Draw(plotted)
		if len(l.Series) > 1 {
			legend.Draw(draw.Crop(c, 0, 0, 0, -height-6))
		}
		writeNotes(c, p.DataCanvas(plotted), p.X, notes)
	})
}

func (l Lines) line(i int, series Series) (*plotter.Line, *plotter.Scatter, error) {
	points := make(plotter.XYs, len(series.Points))
	for j, point := range series.Points {
		points[j] = plotter.XY{X: float64(point.Year), Y: point.Value}
	}
	line, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return nil, nil, err
	}
	line.LineStyle = draw.LineStyle{Color: lineColors[i%MaxSeries].color, Width: 2, Dashes: dashes[i%MaxSeries]}
	dots.GlyphStyle = draw.GlyphStyle{Color: lineColors[i%MaxSeries].color, Radius: 4, Shape: markers[i%MaxSeries]}
	return line, dots, nil
}

// values writes the values beside the points of a single line. Those of several would overlap: they
// are in the table.
func (l Lines) values(p *plot.Plot) error {
	if len(l.Series) != 1 {
		return nil
	}
	at := plotter.XYLabels{}
	for _, point := range l.Series[0].Points {
		at.XYs = append(at.XYs, plotter.XY{X: float64(point.Year), Y: point.Value})
		at.Labels = append(at.Labels, l.Text(point.Value))
	}
	labels, err := plotter.NewLabels(at)
	if err != nil {
		return err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i] = textStyle(inkMiddle, textSize)
	}
	labels.Offset = vg.Point{Y: 7}
	p.Add(unclipped{labels})
	return nil
}

// axes sets the ticks: a year each, and the values from 0, or on a logarithmic scale.
func (l Lines) axes(p *plot.Plot) {
	years, low, high := l.bounds()
	p.X.Min, p.X.Max = float64(years[0])-0.3, float64(years[len(years)-1])+0.3
	every := len(years)/7 + 1
	var ticks []plot.Tick
	for i, year := range years {
		if i%every == 0 {
			ticks = append(ticks, plot.Tick{Value: float64(year), Label: strconv.FormatInt(year, 10)})
		}
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	p.Y.Min, p.Y.Max = 0, cmp.Or(high*1.15, 1)
	p.Y.Tick.Marker = plot.TickerFunc(func(from, to float64) []plot.Tick {
		return slices.DeleteFunc(l.ticks(plot.DefaultTicks{}.Ticks(from, to)), func(t plot.Tick) bool { return t.Label == "" })
	})
	if l.Logarithmic() {
		p.Y.Scale, p.Y.Min, p.Y.Max = plot.LogScale{}, math.Pow(10, math.Floor(math.Log10(low))), math.Pow(10, math.Ceil(math.Log10(high)))
		p.Y.Tick.Marker = plot.TickerFunc(func(from, to float64) []plot.Tick {
			var powers []plot.Tick
			for value := from; value <= to*1.001; value *= 10 {
				powers = append(powers, plot.Tick{Value: value, Label: l.Text(value)})
			}
			return powers
		})
	}
	p.X.Tick.Label, p.Y.Tick.Label = tickStyle(mutedMiddle, p.X.Tick.Label), tickStyle(mutedEnd, p.Y.Tick.Label)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Width = muted.color, 1
		axis.Tick.Width, axis.Tick.Length, axis.Padding = 0, 2, 0
	}
	p.Y.Width = 0
}

// tickStyle returns the style of the labels of an axis, which the page anchors.
func tickStyle(p paint, library text.Style) text.Style {
	style := textStyle(p, smallSize)
	style.YAlign = library.YAlign
	return style
}

// ticks writes the values of the labelled ticks.
func (l Lines) ticks(all []plot.Tick) []plot.Tick {
	for i := range all {
		if !all[i].IsMinor() {
			all[i].Label = l.Text(all[i].Value)
		}
	}
	return all
}

// Logarithmic reports whether the axis of values is logarithmic: the largest value is many times
// the smallest, and the reader is to know.
func (l Lines) Logarithmic() bool {
	_, low, high := l.bounds()
	return len(l.Series) > 1 && low > 0 && high/low > steep
}

// bounds returns the years in their order, and the smallest and the largest value.
func (l Lines) bounds() (years []int64, low, high float64) {
	low = math.Inf(1)
	for _, series := range l.Series {
		for _, point := range series.Points {
			years = append(years, point.Year)
			low, high = min(low, point.Value), max(high, point.Value)
		}
	}
	slices.Sort(years)
	return slices.Compact(years), low, high
}
