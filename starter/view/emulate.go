package view

import (
	"fmt"
	"strings"

	"github.com/pinflow/pinflow/internal/posts"
	"github.com/pinflow/pinflow/starter/term"
)

// Posting shows the progress of an emulation. The caller ends it with end.
func (v *View) Posting() (report func(posts.EmitProgress), end func()) {
	bar := v.StartProgress("posting", 0)
	failing := false
	return func(p posts.EmitProgress) {
		bar.Total = int64(p.Total)
		remark := ""
		if p.Retrying != nil {
			remark = "gateway unavailable; retrying"
			if !failing { // once for each outage: the bar shows the rest
				v.Log("The gateway is unavailable; retrying for up to %s: %v", term.Duration(posts.DefaultPatience), p.Retrying)
			}
		}
		failing = p.Retrying != nil
		bar.Set(int64(p.Done), remark)
	}, bar.End
}

// Emulation prints what was posted.
func (v *View) Emulation(source posts.Source, result posts.EmitResult) {
	if result.Total() == 0 && result.Resumed > 0 {
		v.Say("Nothing is left to post: all %d posts of %s were posted before (%d records).", result.Posts, source.Name(), result.Resumed)
		return
	}
	var kinds []string
	for _, kind := range posts.Kinds {
		kinds = append(kinds, fmt.Sprintf("%s %d", kind, result.Records[kind]))
	}
	v.Say("Posted %d records (%s), %.1f MB, from %s in %s.", result.Total(), strings.Join(kinds, ", "), float64(result.Bytes)/1e6, source.Name(), term.Duration(result.Duration))
	if result.Resumed > 0 {
		v.Say("%d records had been posted before.", result.Resumed)
	}
	if result.Retries > 0 {
		v.Say("%d requests were retried: some records may be duplicates, which changes no answer.", result.Retries)
	}
}
