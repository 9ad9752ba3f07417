package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// joined is up to how many bytes between two payloads are read with them, to save a call.
const joined = 64 << 10

// maxRead bounds the buffer of one read of several payloads.
const maxRead = 4 << 20

// Read returns the payloads at the places, which ascend. Payloads that are near to each other are
// read at once. It returns ErrGone if a segment was removed.
func (j *Journal) Read(places []Place) ([][]byte, error) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	payloads := make([][]byte, 0, len(places))
	for first := 0; first < len(places); {
		end := run(places[first:]) + first
		from := places[first].Offset
		last := places[end-1]
		file := j.segments[last.Segment]
		if file == nil {
			return nil, ErrGone
		}
		buffer := make([]byte, last.Offset+int64(last.Length)-from)
		if _, err := file.ReadAt(buffer, from); err != nil {
			return nil, err
		}
		for _, place := range places[first:end] {
			at := place.Offset - from
			payloads = append(payloads, buffer[at:at+int64(place.Length):at+int64(place.Length)])
		}
		first = end
	}
	return payloads, nil
}

// run returns how many of the first places one read covers, at least one.
func run(places []Place) int {
	for i := 1; i < len(places); i++ {
		before, place := places[i-1], places[i]
		gap := place.Offset - before.Offset - int64(before.Length)
		whole := place.Offset + int64(place.Length) - places[0].Offset
		if place.Segment != before.Segment || gap < 0 || gap > joined || whole > maxRead {
			return i
		}
	}
	return len(places)
}

// scan calls replay for each whole frame from the start. It returns the size of the file and the
// size of its whole frames.
func scan(file *os.File, number int32, replay func(Place, []byte) error) (size, whole int64, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, 0, err
	}
	size = info.Size()
	reader := bufio.NewReaderSize(io.NewSectionReader(file, 0, size), 1<<20)
	var header [headerSize]byte
	var buffer []byte
	for {
		if _, err := io.ReadFull(reader, header[:]); err != nil {
			return size, whole, ignoreEnd(err)
		}
		length := int64(binary.BigEndian.Uint32(header[:4]))
		if length > maxPayload || whole+headerSize+length > size {
			return size, whole, nil
		}
		if int64(cap(buffer)) < length {
			buffer = make([]byte, length)
		}
		buffer = buffer[:length]
		if _, err := io.ReadFull(reader, buffer); err != nil {
			return size, whole, ignoreEnd(err)
		}
		if checksum(header[:4], buffer) != binary.BigEndian.Uint32(header[4:]) {
			return size, whole, nil
		}
		if replay != nil {
			place := Place{Segment: number, Length: int32(length), Offset: whole + headerSize}
			if err := replay(place, buffer); err != nil {
				return size, whole, err
			}
		}
		whole += headerSize + length
	}
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
