package main

import "golang.org/x/sync/semaphore"

// recordCost is about what a record costs beside its bytes while it is under way. Without it, bodies of very small records would
// take twenty times the memory that they are counted for.
const recordCost = 256

// admission is the gateway's back-pressure: requests under way hold their share of a fixed number of bytes and places.
// There is no queue: who finds no room is turned away at once and can decide what to do.
type admission struct {
	places  *semaphore.Weighted
	bytes   *semaphore.Weighted
	metrics *metrics
}

func newAdmission(requests, bytes int64, metrics *metrics) *admission {
	return &admission{places: semaphore.NewWeighted(requests), bytes: semaphore.NewWeighted(bytes), metrics: metrics}
}

// room is what one request holds.
type room struct {
	admission *admission
	bytes     int64
}

// enter gives a request a place and room for its body, or nil if there is none.
func (a *admission) enter(bytes int64) *room {
	if !a.places.TryAcquire(1) {
		return nil
	}
	r := &room{admission: a}
	if !r.grow(bytes) {
		a.places.Release(1)
		return nil
	}
	a.metrics.hold(1, 0)
	return r
}

// grow takes more bytes, or says that there is no room for them.
func (r *room) grow(bytes int64) bool {
	if !r.admission.bytes.TryAcquire(bytes) {
		return false
	}
	r.bytes += bytes
	r.admission.metrics.hold(0, bytes)
	return true
}

// leave gives all back.
func (r *room) leave() {
	r.admission.metrics.hold(-1, -r.bytes)
	r.admission.bytes.Release(r.bytes)
	r.admission.places.Release(1)
}
