package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is the CPU time of this process and its descendants when a step begins.
type usage map[int]time.Duration

// startUsage resets the peak memory of all processes. What it cannot reset is no part of the result:
// proc(5) documents clear_refs for the processes of the same user.
func startUsage() usage {
	before := usage{}
	for _, pid := range family() {
		before[pid] = cpuTime(pid)
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) // a process that has ended has no peak
	}
	return before
}

// end returns the CPU time since the start, and the sum of the peaks.
func (before usage) end() (cpu time.Duration, peak int64) {
	for _, pid := range family() {
		cpu += cpuTime(pid) - before[pid]
		peak += peakMemory(pid)
	}
	return cpu, peak
}

// family returns this process and its descendants.
func family() []int {
	parents := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	for _, file := range stats {
		if fields := statFields(file); len(fields) > 1 {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file))) // digits, by the pattern
			parents[pid], _ = strconv.Atoi(fields[1])
		}
	}
	var all []int
	for pid := range parents {
		for p := pid; p > 1; p = parents[p] {
			if p == os.Getpid() {
				all = append(all, pid)
				break
			}
		}
	}
	return all
}

// statFields returns the fields of /proc/<pid>/stat after the name: state, parent, ….
func statFields(file string) []string {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	_, after, _ := bytes.Cut(content, []byte(") "))
	return strings.Fields(string(after))
}

// tick is the unit of CPU time in /proc, on all Linux.
const tick = 10 * time.Millisecond

// cpuTime returns the time that a process has used, in user and kernel mode.
func cpuTime(pid int) time.Duration {
	fields := statFields(fmt.Sprintf("/proc/%d/stat", pid))
	if len(fields) < 13 {
		return 0
	}
	inUser, _ := strconv.Atoi(fields[11])
	inKernel, _ := strconv.Atoi(fields[12])
	return time.Duration(inUser+inKernel) * tick
}

// peakMemory returns VmHWM of a process, in bytes.
func peakMemory(pid int) int64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(content), "VmHWM:")
	number, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	kilobytes, _ := strconv.ParseInt(number, 10, 64)
	return kilobytes * 1024
}
