package main

import "golang.org/x/sync/semaphore"

// recordCost is the approximate memory for a record beyond its bytes. Without it, bodies of very
// small records would need twenty times the memory that is accounted for.
const recordCost = 256

// room is a number of open requests and of bytes that they hold together.
type room struct {
	size  [2]int64
	slots *semaphore.Weighted
	bytes *semaphore.Weighted
}

func roomOf(requests, bytes int64) room {
	return room{[2]int64{requests, bytes}, semaphore.NewWeighted(requests), semaphore.NewWeighted(bytes)}
}

// empty returns a room of the same size, of which nothing is taken.
func (r room) empty() room { return roomOf(r.size[0], r.size[1]) }

// admission is the gateway's back-pressure: all open requests share a room, and those of one client
// its part of it. There is no queue: a request beyond them is rejected at once, and its client
// decides what to do.
type admission struct {
	room
	metrics *metrics
}

func newAdmission(requests, bytes int64, metrics *metrics) *admission {
	return &admission{roomOf(requests, bytes), metrics}
}

// reservation is what one request holds.
type reservation struct {
	admission *admission
	rooms     [2]room // of all, and of the client
	bytes     int64
}

// enter admits a request of a client with that many bytes. It returns nil if they are not free.
func (a *admission) enter(c *client, bytes int64) *reservation {
	r := &reservation{admission: a, rooms: [2]room{a.room, c.room}}
	for i, in := range r.rooms {
		if !in.slots.TryAcquire(1) {
			r.release(i)
			return nil
		}
	}
	if !r.grow(bytes) {
		r.release(len(r.rooms))
		return nil
	}
	a.metrics.hold(1, 0)
	return r
}

// release gives back the slots of the first rooms.
func (r *reservation) release(rooms int) {
	for _, in := range r.rooms[:rooms] {
		in.slots.Release(1)
	}
}

// grow reserves more bytes and reports whether they were free.
func (r *reservation) grow(bytes int64) bool {
	if !r.rooms[0].bytes.TryAcquire(bytes) {
		return false
	}
	if !r.rooms[1].bytes.TryAcquire(bytes) {
		r.rooms[0].bytes.Release(bytes)
		return false
	}
	r.bytes += bytes
	r.admission.metrics.hold(0, bytes)
	return true
}

// leave releases the reservation.
func (r *reservation) leave() {
	r.admission.metrics.hold(-1, -r.bytes)
	for _, in := range r.rooms {
		in.bytes.Release(r.bytes)
	}
	r.release(len(r.rooms))
}
