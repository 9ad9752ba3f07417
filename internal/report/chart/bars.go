package chart

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars is a chart of horizontal bars, one below the other: each under its label, with its value.
type Bars struct {
	// Label is the text for those who do not see the chart.
	Label string
	Bars  []Bar
}

// Bar is one bar. Its value is at least 0; Text is how the value is written.
type Bar struct {
	Label string
	Value float64
	Text  string
}

const (
	barHeight = 9
	barPitch  = 34 // from a bar to the next, with the label between them
	barGap    = 8  // between a label and its value
)

// SVG returns the chart as an <svg> element.
func (b Bars) SVG() (string, error) {
	n := len(b.Bars)
	p := bare()
	lengths := make(plotter.Values, n)
	names := plotter.XYLabels{XYs: make(plotter.XYs, n), Labels: make([]string, n)}
	values := plotter.XYLabels{XYs: make(plotter.XYs, n), Labels: make([]string, n)}
	nameStyle, valueStyle := textStyle(ink, textSize), textStyle(inkEnd, textSize)
	longest := 0.0
	for _, bar := range b.Bars {
		longest = max(longest, bar.Value)
	}
	if longest == 0 {
		longest = 1
	}
	for i, bar := range b.Bars {
		at := n - 1 - i // the first bar is the topmost, where the y axis ends
		lengths[at] = bar.Value
		names.XYs[at], values.XYs[at] = plotter.XY{Y: float64(at)}, plotter.XY{X: longest, Y: float64(at)}
		values.Labels[at] = bar.Text
		names.Labels[at] = fit(nameStyle, bar.Label, width-valueStyle.Width(bar.Text)*fontSlack-barGap)
	}
	chart, err := plotter.NewBarChart(lengths, barHeight)
	if err != nil {
		return "", err
	}
	chart.Horizontal, chart.Color, chart.LineStyle.Width = true, lineColors[0].color, 0
	p.Add(chart)
	for _, column := range []struct {
		labels plotter.XYLabels
		style  text.Style
	}{{names, nameStyle}, {values, valueStyle}} {
		drawn, err := plotter.NewLabels(column.labels)
		if err != nil {
			return "", err
		}
		for i := range drawn.TextStyle {
			drawn.TextStyle[i] = column.style
		}
		drawn.Offset = vg.Point{Y: barHeight/2 + 4}
		p.Add(unclipped{drawn})
	}
	// The axes reach exactly over the canvas: half a pitch below the first bar and above the last.
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, longest, -0.5, float64(n)-0.5
	return render(b.Label, barPitch*vg.Length(n), func(c draw.Canvas) {
		p.Draw(draw.Crop(c, 0, 0, -6, -6)) // room for a label is needed above a bar, not below
	})
}

// bare returns a plot without axes and background.
func bare() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.HideAxes()
	p.X.Padding, p.Y.Padding = 0, 0
	return p
}

// unclipped draws labels without asking for room beyond the axes, which would shrink the bars.
type unclipped struct{ plot.Plotter }
