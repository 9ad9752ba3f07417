package main

import (
	"fmt"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far a long work is, on standard error: a bar that is redrawn on a terminal, now and then a line elsewhere.
type progress struct {
	app   *app
	what  string
	total int64
	done  int64
	bar   *progressbar.ProgressBar
	tenth int64 // of the total, the last that was written as a line
}

// startProgress begins to show a work of that many steps; what names it, as in "posting". With total 0 it counts without an end.
func (a *app) startProgress(what string, total int64) *progress {
	p := &progress{app: a, what: what, total: total}
	if a.live {
		end := total
		if end == 0 {
			end = -1 // progressbar's mark of an unknown end
		}
		p.bar = progressbar.NewOptions64(end,
			progressbar.OptionSetWriter(a.stderr),
			progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(30),
			progressbar.OptionUseANSICodes(true),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish(),
		)
	}
	return p
}

// set says how many steps are done, with a word on the last one, which may be empty. Without a terminal a line is written
// at every tenth of the way.
func (p *progress) set(done int64, note string) {
	changed := done != p.done
	p.done = done
	if p.bar != nil {
		if p.total > 0 && p.total != p.bar.GetMax64() { // it became known, or grew
			p.bar.ChangeMax64(p.total)
		}
		p.bar.Describe(p.what + bracketed(note))
		_ = p.bar.Set64(done) // a bar that cannot be drawn must not stop the work
		return
	}
	if !changed || p.total == 0 {
		return
	}
	if tenth := done * 10 / p.total; tenth > p.tenth {
		p.tenth = tenth
		p.app.note("%s", p.line(note))
	}
}

func (p *progress) line(note string) string {
	return fmt.Sprintf("%s %d/%d", p.what, p.done, p.total) + bracketed(note)
}

func bracketed(note string) string {
	if note == "" {
		return ""
	}
	return " (" + note + ")"
}

// end takes the bar away. It may be called more than once.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Exit()
		_ = p.bar.Clear()
		p.bar = nil
	}
}
