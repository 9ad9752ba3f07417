package browser

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/report"
	"github.com/pinflow/pinflow/internal/report/reporttest"
)

// writePage writes the page of a report to a file.
func writePage(t *testing.T, r report.Report) string {
	t.Helper()
	var page bytes.Buffer
	require.NoError(t, r.WriteHTML(&page))
	file := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(file, page.Bytes(), 0o644))
	return file
}

const openAll = `document.querySelectorAll('details').forEach(d => d.open = true)`

// overflow is the list of what is wider than the screen, but for what a reader can scroll by itself.
const overflow = `[...document.querySelectorAll('body *')]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5 && !e.closest('.scroll table'))
  .map(e => e.tagName + ' ' + e.textContent.slice(0, 40))`

// contrasts is the lowest contrast, by WCAG's formula, of a text and of a drawn line or area with the
// background of its section, with what it was found in.
const contrasts = `(() => {
  const probe = document.createElement('canvas').getContext('2d', {willReadFrequently: true})
  const rgb = color => { probe.fillStyle = color; probe.fillRect(0, 0, 1, 1); return [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3) }
  const luminance = color => rgb(color).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (c !== 'rgba(0, 0, 0, 0)') return c } return 'white' }
  const contrast = (e, color) => { const [a, b] = [luminance(color), luminance(behind(e))].sort((x, y) => y - x); return (a + 0.05) / (b + 0.05) }
  const low = {text: [99, ''], shape: [99, '']}
  const note = (kind, value, e) => { if (value < low[kind][0]) low[kind] = [value, e.tagName + ' ' + e.textContent.slice(0, 30)] }
  const grid = getComputedStyle(document.documentElement).getPropertyValue('--grid').trim()
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())
    const style = getComputedStyle(e)
    if (e.ownerSVGElement) {
      if (own) note('text', contrast(e, style.fill), e)
      else if (e.tagName === 'path' && !e.getAttribute('style').includes('var(--grid)'))
        for (const color of [style.fill, style.stroke]) if (color !== 'none') note('shape', contrast(e, color), e)
    } else if (own) note('text', contrast(e, style.color), e)
  }
  return {text: low.text[0], textAt: low.text[1], shape: low.shape[0], shapeAt: low.shape[1]}
})()`

// lowest is the value of contrasts.
type lowest struct {
	Text, Shape     float64
	TextAt, ShapeAt string
}

// Contrast of WCAG 2.2 AA: of texts, and of graphics that are needed to understand the content.
const (
	textContrast  = 4.5
	shapeContrast = 3.0
)

func TestReport(t *testing.T) {
	sample := reporttest.Sample()
	page := writePage(t, sample)
	b := openTab(t)

	for _, s := range screens {
		b.open(s, page)
		t.Run(s.name+"/fits_the_screen", func(t *testing.T) {
			require.Equal(t, float64(s.width), eval[float64](t, b, `document.documentElement.clientWidth`))
			require.LessOrEqual(t, eval[float64](t, b, `document.documentElement.scrollWidth`), float64(s.width))
			require.Empty(t, eval[[]string](t, b, overflow))
			b.shoot("report-" + s.name)
			eval[chromedp.Void](t, b, openAll)
			require.LessOrEqual(t, eval[float64](t, b, `document.documentElement.scrollWidth`), float64(s.width), "with all tables open")
		})

		t.Run(s.name+"/has_enough_contrast", func(t *testing.T) {
			found := eval[lowest](t, b, contrasts)
			require.Less(t, found.Text, 21.0, "something was looked at")
			require.Less(t, found.Shape, 21.0, "something was looked at")
			require.GreaterOrEqual(t, found.Text, textContrast, found.TextAt)
			require.GreaterOrEqual(t, found.Shape, shapeContrast, found.ShapeAt)
		})

		t.Run(s.name+"/draws_texts_that_one_can_read", func(t *testing.T) {
			smallest := eval[float64](t, b, `Math.min(...[...document.querySelectorAll('svg text')].map(e => e.getBoundingClientRect().height))`)
			require.GreaterOrEqual(t, smallest, 10.0, "pixels from the top to the bottom of a line")
			require.Empty(t, eval[[]string](t, b, `[...document.querySelectorAll('svg')].flatMap(svg => {
				const seen = [...svg.querySelectorAll('text')].map(e => [e.getBoundingClientRect(), e.textContent])
				return seen.flatMap(([a, text], i) => seen.slice(i + 1).filter(([b]) =>
					Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4)
					.map(([, other]) => text + ' | ' + other))
			})`), "texts that lie over each other")
		})
	}

	t.Run("asks_the_network_for_nothing", func(t *testing.T) {
		require.NotEmpty(t, b.requests)
		require.Empty(t, b.asked(page))
		require.Equal(t, "Answers of pinterest-daily, 2022-10-18", eval[string](t, b, `document.title`), "no text of a post has run as a script")
		require.Zero(t, eval[float64](t, b, `document.querySelectorAll('script, img, h1:not(header > h1)').length`))
	})

	t.Run("holds_the_rows_of_the_answers", func(t *testing.T) {
		for _, answer := range sample.Answers {
			cells := eval[[][]string](t, b, fmt.Sprintf(`[...document.querySelectorAll('#%s tbody tr')].map(r => [...r.cells].map(c => c.textContent))`, answer.Name))
			var want [][]string
			for _, row := range answer.Rows {
				var texts []string
				for _, value := range row {
					texts = append(texts, plain(value))
				}
				want = append(want, texts)
			}
			for _, row := range cells {
				for i, kind := range answer.Columns {
					if kind.Name != "country" && kind.Name != "poster_name" {
						row[i] = strings.ReplaceAll(row[i], ",", "")
					}
				}
			}
			require.Equal(t, want, cells, answer.Name)
		}
	})

	t.Run("can_be_read_without_seeing_it", func(t *testing.T) {
		require.Equal(t, "en", eval[string](t, b, `document.documentElement.lang`))
		require.Empty(t, eval[[]string](t, b, `[...document.querySelectorAll('table')].filter(t => !t.caption || !t.caption.textContent.trim()).map(t => t.textContent)`))
		require.Empty(t, eval[[]string](t, b, `[...document.querySelectorAll('svg')].filter(s => s.getAttribute('role') !== 'img' || s.getAttribute('aria-label').length < 30).map(s => s.outerHTML.slice(0, 80))`))
		require.Equal(t, float64(len(sample.Answers)), eval[float64](t, b, `document.querySelectorAll('section svg').length`))
		require.Equal(t, 1.0, eval[float64](t, b, `document.querySelectorAll('h1').length`))
		require.Empty(t, eval[[]string](t, b, `[...document.querySelectorAll('h1, h2, h3')].filter((h, i, all) => i > 0 && h.tagName[1] - all[i - 1].tagName[1] > 1).map(h => h.textContent)`), "headings that skip a level")
		require.Empty(t, eval[[]string](t, b, `[...document.querySelectorAll('nav a')].filter(a => !document.querySelector(a.getAttribute('href'))).map(a => a.href)`), "links to nowhere")
		require.Empty(t, eval[[]string](t, b, `[...document.querySelectorAll('tbody tr')].filter(r => !r.querySelector('th[scope=row]')).map(r => r.textContent)`))
	})
}

// plain is a value without separators.
func plain(value any) string {
	switch v := value.(type) {
	case nil:
		return "–"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}
