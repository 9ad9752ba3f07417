// Package journal keeps records on disk: frames with checksums, appended to segments, synced before
// Append returns. A crash loses nothing that Append has returned; Open cuts a torn end off.
package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// SegmentSize is the size in bytes at which the next segment begins. Whole segments are removed when
// their records have expired.
const SegmentSize = 64 << 20

// A frame is the length of its payload, the checksum of length and payload, and the payload.
const (
	headerSize = 8
	// maxPayload bounds what a torn length can make Open allocate: a record is at most 10 MiB.
	maxPayload = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrGone is the error of a place whose segment was removed.
var ErrGone = errors.New("the segment of the record was removed")

// Place is where a payload is.
type Place struct {
	Segment int32
	Length  int32
	Offset  int64
}

// Options configures a journal.
type Options struct {
	// Dir holds the segments; Open creates it, readable by its owner alone.
	Dir string
	// SegmentSize is SegmentSize if 0.
	SegmentSize int64
	// Replay is called for each payload that was appended before, in order. The payload is valid
	// during the call only.
	Replay func(Place, []byte) error
}

// Journal is an open journal.
type Journal struct {
	dir   string
	limit int64

	mu       sync.RWMutex // guards the fields below; Append is called by one goroutine at a time
	segments map[int32]*os.File
	active   int32
	size     int64 // of the active segment
	broken   error

	// Cut is the number of bytes that Open cut off: an append that a crash interrupted.
	Cut int64
}

// Open opens the journal, replays it and cuts off what a crash has left unfinished at its end. A
// damaged segment before the last is an error, as what was acknowledged would be lost.
func Open(o Options) (*Journal, error) {
	if o.SegmentSize == 0 {
		o.SegmentSize = SegmentSize
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	numbers, err := list(o.Dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{dir: o.Dir, limit: o.SegmentSize, segments: map[int32]*os.File{}}
	for i, number := range numbers {
		if err := j.openSegment(number, i == len(numbers)-1, o.Replay); err != nil {
			j.Close()
			return nil, err
		}
	}
	if len(numbers) == 0 {
		err = j.begin(1)
	}
	return j, err
}

func (j *Journal) openSegment(number int32, last bool, replay func(Place, []byte) error) error {
	file, err := os.OpenFile(j.path(number), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	j.segments[number] = file
	size, whole, err := scan(file, number, replay)
	if err != nil {
		return err
	}
	if whole < size {
		if !last {
			return fmt.Errorf("%s is damaged at byte %d, and later segments exist: restore the file, or remove the directory to start without its records",
				file.Name(), whole)
		}
		j.Cut = size - whole
		if err := errors.Join(file.Truncate(whole), file.Sync()); err != nil {
			return err
		}
	}
	j.active, j.size = number, whole
	return nil
}

// begin creates a segment and makes it the active one.
func (j *Journal) begin(number int32) error {
	file, err := os.OpenFile(j.path(number), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := SyncDir(j.dir); err != nil {
		file.Close()
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.segments[number], j.active, j.size = file, number, 0
	return nil
}

// Append writes the payloads and syncs them. It returns where each of them is, or an error, and then
// none of them was added. Calls must not overlap.
func (j *Journal) Append(payloads [][]byte) ([]Place, error) {
	if j.broken != nil {
		return nil, j.broken
	}
	if j.size >= j.limit {
		if err := j.begin(j.active + 1); err != nil {
			return nil, err
		}
	}
	var total int
	for _, payload := range payloads {
		total += headerSize + len(payload)
	}
	buffer := make([]byte, 0, total)
	places := make([]Place, len(payloads))
	for i, payload := range payloads {
		places[i] = Place{Segment: j.active, Length: int32(len(payload)), Offset: j.size + int64(len(buffer)) + headerSize}
		buffer = appendFrame(buffer, payload)
	}
	file := j.segments[j.active]
	if _, err := file.WriteAt(buffer, j.size); err != nil {
		// A full disk is no reason to stop: later appends begin where this one did.
		if cut := file.Truncate(j.size); cut != nil {
			j.broken = fmt.Errorf("%s has an unfinished end: restart to cut it off: %w", file.Name(), cut)
		}
		return nil, err
	}
	if err := file.Sync(); err != nil {
		// What the kernel failed to write may be dropped from its cache, so no later sync would
		// prove that it is on disk.
		j.broken = fmt.Errorf("%s cannot be synced: check the disk and restart: %w", file.Name(), err)
		return nil, j.broken
	}
	j.mu.Lock()
	j.size += int64(len(buffer))
	j.mu.Unlock()
	return places, nil
}

func appendFrame(buffer, payload []byte) []byte {
	var header [headerSize]byte
	binary.BigEndian.PutUint32(header[:4], uint32(len(payload)))
	binary.BigEndian.PutUint32(header[4:], checksum(header[:4], payload))
	return append(append(buffer, header[:]...), payload...)
}

func checksum(length, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, payload)
}

// Remove removes all segments before the given one, but never the active one.
func (j *Journal) Remove(before int32) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	for number, file := range j.segments {
		if number >= before || number == j.active {
			continue
		}
		delete(j.segments, number)
		errs = append(errs, file.Close(), os.Remove(file.Name()))
	}
	return errors.Join(errs...)
}

// First returns the number of the first segment.
func (j *Journal) First() int32 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	first := j.active
	for number := range j.segments {
		first = min(first, number)
	}
	return first
}

// Active returns the number of the segment that is appended to.
func (j *Journal) Active() int32 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.active
}

// Close closes the files. All that was appended is on disk already.
func (j *Journal) Close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, file := range j.segments {
		file.Close()
	}
	j.segments = nil
}

func (j *Journal) path(number int32) string {
	return filepath.Join(j.dir, fmt.Sprintf("%08d.log", number))
}

// list returns the numbers of the segments in a directory, ascending.
func list(dir string) ([]int32, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var numbers []int32
	for _, entry := range entries {
		var number int32
		if _, err := fmt.Sscanf(entry.Name(), "%08d.log", &number); err == nil && entry.Type() == fs.FileMode(0) {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
