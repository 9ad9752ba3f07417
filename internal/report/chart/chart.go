// Package chart draws bars and lines as SVG for a page: an <svg> element without colors and fonts of
// its own. Its strokes and fills are CSS variables, so that the page decides about light and dark.
// Nothing is told by color alone: bars have their labels and values, lines differ in dashes and
// markers.
package chart

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"regexp"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// width is the width of a chart in its own units: what a phone of 360 pixels leaves for it, so that
// its texts have their size there. Larger screens enlarge it.
const width vg.Length = 294

const (
	textSize  = 12.5
	smallSize = 11
)

// A paint stands for a CSS variable while a chart is drawn: a color that nothing else has. The
// library leaves black out, so that none is black.
type paint struct {
	color color.RGBA
	css   string // in place of the color, in a style
}

func newPaint(n uint8, css string) paint { return paint{color.RGBA{R: 1, G: 2, B: n, A: 255}, css} }

// Texts are anchored by the page: the font that it finds may be wider than the one that the library
// measures, and a number must end where its column ends all the same.
var (
	ink         = newPaint(1, "var(--ink)")
	inkEnd      = newPaint(2, "var(--ink);text-anchor:end")
	inkMiddle   = newPaint(3, "var(--ink);text-anchor:middle")
	mutedEnd    = newPaint(4, "var(--muted);text-anchor:end")
	mutedMiddle = newPaint(5, "var(--muted);text-anchor:middle")
	muted       = newPaint(6, "var(--muted)")
	grid        = newPaint(7, "var(--grid)")
	lineColors  = [MaxSeries]paint{newPaint(11, "var(--series-1)"), newPaint(12, "var(--series-2)"), newPaint(13, "var(--series-3)"), newPaint(14, "var(--series-4)")}
	paints      = append([]paint{ink, inkEnd, inkMiddle, mutedEnd, mutedMiddle, muted, grid}, lineColors[:]...)
)

// textStyle returns the style of a text. The library measures it with Liberation Sans, which is as
// wide as Arial and Helvetica, the fonts that a page should name.
func textStyle(p paint, size font.Length) text.Style {
	return text.Style{Color: p.color, Font: font.From(sans, size), Handler: text.Plain{Fonts: font.DefaultCache}}
}

var sans = font.Font{Typeface: "Liberation", Variant: "Sans"}

// fontSlack is how much wider than the measured font that of the page may be.
const fontSlack = 1.15

// fit cuts a text to a width, with an ellipsis.
func fit(style text.Style, s string, room vg.Length) string {
	room /= fontSlack
	if style.Width(s) <= room {
		return s
	}
	runes := []rune(s)
	for n := len(runes) - 1; n > 0; n-- {
		if cut := strings.TrimRight(string(runes[:n]), " ") + "…"; style.Width(cut) <= room {
			return cut
		}
	}
	return "…"
}

// render draws on a canvas of that height and returns the element. The label is the text for those
// who do not see the chart.
func render(label string, height vg.Length, paintOn func(draw.Canvas)) (string, error) {
	canvas := vgsvg.New(width, height)
	paintOn(draw.New(canvas))
	var drawn bytes.Buffer
	if _, err := canvas.WriteTo(&drawn); err != nil {
		return "", err
	}
	_, body, ok := strings.Cut(drawn.String(), `xlink">`)
	if !ok {
		return "", fmt.Errorf("the drawing does not start with an svg element: %.100q", drawn.String())
	}
	return fmt.Sprintf(`<svg role="img" aria-label="%s" viewBox="0 0 %g %g">`, html.EscapeString(label), width.Points(), height.Points()) +
		styles.ReplaceAllStringFunc(body, restyle), nil
}

// styles matches the style of an element: never a text, whose quotes are escaped.
var styles = regexp.MustCompile(`style="[^"]*"`)

// fonts matches the font of a text. The page has its own.
var fonts = regexp.MustCompile(`font-(family|variant|weight|style):[^;"]*;?`)

// restyle replaces the paints by their variables and leaves the font to the page.
func restyle(style string) string {
	for _, p := range paints {
		style = strings.ReplaceAll(style, fmt.Sprintf("#%02X%02X%02X", p.color.R, p.color.G, p.color.B), p.css)
	}
	return fonts.ReplaceAllString(style, "")
}
