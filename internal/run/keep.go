package run

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Drop is what a rerun does not keep of the date's latest run.
type Drop struct {
	// Params and Tags are names of parameters and tags.
	Params []string `json:"params,omitempty"`
	Tags   []string `json:"tags,omitempty"`
	// Hold and RunTimeout drop what the run had beyond its DAG.
	Hold       bool `json:"hold,omitempty"`
	RunTimeout bool `json:"runTimeout,omitempty"`
}

// Empty reports whether everything is kept.
func (d Drop) Empty() bool {
	return len(d.Params) == 0 && len(d.Tags) == 0 && !d.Hold && !d.RunTimeout
}

// Keep returns the input of a rerun with what it keeps of the date's latest run, as Airflow's clear
// keeps the conf of a DAG run: parameters, tags, hold and the run timeout. What the input sets comes
// before what it keeps. Whether the run ignored the past, or accepted lost records, is not kept: that
// was decided for one moment, and manifests keep what was accepted.
func (in Input) Keep(latest Status) Input {
	params := make(map[string]string, len(latest.Params)+len(in.Params))
	maps.Copy(params, latest.Params) //workflowcheck:ignore // the order does not matter
	for _, name := range in.Drop.Params {
		delete(params, name)
	}
	maps.Copy(params, in.Params) //workflowcheck:ignore // the order does not matter
	in.Params = params
	var tags []string
	for _, tag := range latest.Tags {
		if !slices.Contains(in.Drop.Tags, tag) && !slices.Contains(in.Tags, tag) {
			tags = append(tags, tag)
		}
	}
	in.Tags = append(tags, in.Tags...)
	in.Hold = in.Hold || latest.Hold && !in.Drop.Hold
	if !in.Drop.RunTimeout {
		in.RunTimeout = cmp.Or(in.RunTimeout, latest.RunTimeout)
	}
	return in
}

// Difference is one setting of a rerun, compared with the date's latest run.
type Difference struct {
	// Setting is "params", "tags", "hold" or "run timeout"; Name is that of a parameter.
	Setting string `json:"setting"`
	Name    string `json:"name,omitempty"`
	// Value is the setting's value, also of a dropped one. Was is the value that another replaces.
	Value string `json:"value,omitempty"`
	Was   string `json:"was,omitempty"`
	// How is what became of the setting.
	How How `json:"how"`
}

// How is what becomes of a setting in a rerun.
type How string

// What becomes of settings.
const (
	Kept    How = "kept"
	Added   How = "added"
	Changed How = "changed"
	Dropped How = "dropped"
)

// Differences compares the settings of a rerun with those of the date's latest run, in the order
// params, tags, hold, run timeout. A setting that neither has is left out.
func (in Input) Differences(latest Status) []Difference {
	var all []Difference
	add := func(setting, name, was, is string) {
		switch {
		case was == is && is != "":
			all = append(all, Difference{Setting: setting, Name: name, Value: is, How: Kept})
		case is == "" && was != "":
			all = append(all, Difference{Setting: setting, Name: name, Value: was, How: Dropped})
		case was == "" && is != "":
			all = append(all, Difference{Setting: setting, Name: name, Value: is, How: Added})
		case was != is:
			all = append(all, Difference{Setting: setting, Name: name, Value: is, Was: was, How: Changed})
		}
	}
	rerun := in.Keep(latest)
	params := map[string]bool{}
	for _, some := range []map[string]string{latest.Params, rerun.Params} {
		for name := range some {
			params[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		add("params", name, latest.Params[name], rerun.Params[name])
	}
	for _, tag := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(latest.Tags, rerun.Tags)))) {
		add("tags", "", has(latest.Tags, tag), has(rerun.Tags, tag))
	}
	add("hold", "", on(latest.Hold), on(rerun.Hold))
	add("run timeout", "", long(latest.RunTimeout), long(rerun.RunTimeout))
	return all
}

func has(tags []string, tag string) string {
	if slices.Contains(tags, tag) {
		return tag
	}
	return ""
}

func on(is bool) string {
	if is {
		return "on"
	}
	return ""
}

func long(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
