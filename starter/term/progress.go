package term

import (
	"fmt"

	"github.com/schollz/progressbar/v3"
)

// Progress shows the progress of long work on standard error: a bar on a terminal, a line for each
// tenth elsewhere.
type Progress struct {
	term *Term
	what string
	// Total is the number of steps; 0 if it is unknown. It may be set later.
	Total int64
	done  int64
	bar   *progressbar.ProgressBar
	tenth int64 // the last tenth of the total that was written as a line
}

// StartProgress shows work of so many steps, named as in "posting".
func (t *Term) StartProgress(what string, total int64) *Progress {
	p := &Progress{term: t, what: what, Total: total}
	if t.Live {
		end := total
		if end == 0 {
			end = -1 // progressbar's mark of an unknown end
		}
		p.bar = progressbar.NewOptions64(end,
			progressbar.OptionSetWriter(t.Err),
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

// Set shows how many steps are done, with a remark, which may be empty.
func (p *Progress) Set(done int64, remark string) {
	changed := done != p.done
	p.done = done
	if p.bar != nil {
		if p.Total > 0 && p.Total != p.bar.GetMax64() { // it became known, or has grown
			p.bar.ChangeMax64(p.Total)
		}
		p.bar.Describe(p.what + bracketed(remark))
		_ = p.bar.Set64(done) // a bar that cannot be drawn must not stop the work
		return
	}
	if !changed || p.Total == 0 {
		return
	}
	if tenth := done * 10 / p.Total; tenth > p.tenth {
		p.tenth = tenth
		p.term.Log("%s", p.line(remark))
	}
}

func (p *Progress) line(remark string) string {
	return fmt.Sprintf("%s %d/%d", p.what, p.done, p.Total) + bracketed(remark)
}

func bracketed(remark string) string {
	if remark == "" {
		return ""
	}
	return " (" + remark + ")"
}

// End removes the bar. It may be called more than once.
func (p *Progress) End() {
	if p.bar != nil {
		_ = p.bar.Exit()
		_ = p.bar.Clear()
		p.bar = nil
	}
}
