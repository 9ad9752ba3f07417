package main

import (
	"sync"
	"time"
)

// briefInterval is how often what anyone can cause is logged.
const briefInterval = time.Second

// brief counts what happens often, so that it is logged once a second at most.
type brief struct {
	mu     sync.Mutex
	times  int64
	logged time.Time
}

// count counts one, and returns how many there were since the last one that was logged; 0 if it is
// not to be logged.
func (b *brief) count() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.times++
	if time.Since(b.logged) < briefInterval {
		return 0
	}
	times := b.times
	b.times, b.logged = 0, time.Now()
	return times
}

// log counts one, and logs the number, unless it did so just before.
func (b *brief) log(log func(times int64)) {
	if times := b.count(); times > 0 {
		log(times)
	}
}
