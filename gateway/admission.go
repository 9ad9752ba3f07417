package main

import "golang.org/x/sync/semaphore"

// recordCost is the approximate memory for a record beyond its bytes. Without it, bodies of very
// small records would need twenty times the memory that is accounted for.
const recordCost = 256

// admission is the gateway's back-pressure: open requests share a fixed number of bytes and of
// requests. There is no queue: a request beyond them is rejected at once, and its client decides
// what to do.
type admission struct {
	slots   *semaphore.Weighted
	bytes   *semaphore.Weighted
	metrics *metrics
}

func newAdmission(requests, bytes int64, metrics *metrics) *admission {
	return &admission{slots: semaphore.NewWeighted(requests), bytes: semaphore.NewWeighted(bytes), metrics: metrics}
}

// reservation is what one request holds.
type reservation struct {
	admission *admission
	bytes     int64
}

// enter admits a request with that many bytes. It returns nil if they are not free.
func (a *admission) enter(bytes int64) *reservation {
	if !a.slots.TryAcquire(1) {
		return nil
	}
	r := &reservation{admission: a}
	if !r.grow(bytes) {
		a.slots.Release(1)
		return nil
	}
	a.metrics.hold(1, 0)
	return r
}

// grow reserves more bytes and reports whether they were free.
func (r *reservation) grow(bytes int64) bool {
	if !r.admission.bytes.TryAcquire(bytes) {
		return false
	}
	r.bytes += bytes
	r.admission.metrics.hold(0, bytes)
	return true
}

// leave releases the reservation.
func (r *reservation) leave() {
	r.admission.metrics.hold(-1, -r.bytes)
	r.admission.bytes.Release(r.bytes)
	r.admission.slots.Release(1)
}
