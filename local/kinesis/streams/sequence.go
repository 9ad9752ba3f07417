package streams

import (
	"fmt"
	"math/big"
)

// endOfShard is the position in the ending sequence number of a closed shard, past all records.
const endOfShard = 1<<63 - 1

// Sequence is what a sequence number encodes. Its 186 bits, 56 decimal digits, are laid out as those
// of Kinesis: when the shard was created, its position, when the record arrived, the shard. So they
// ascend within a shard, and those of a child are greater than those of its parents.
type Sequence struct {
	// Created is when the shard was created, in seconds since 1970.
	Created int64
	// Position counts the records of a shard; the first one is 1.
	Position uint64
	// Time is when the record arrived, in seconds since 1970.
	Time  int64
	Shard int
}

// The widths of the fields in bits, from the highest: a leading 2, when the shard was created, the
// lowest digit of the shard, the position, a zero byte, the time, the shard, and the version, 2.
const (
	secondsBits  = 36
	nibbleBits   = 4
	positionBits = 64
	zeroBits     = 8
	shardBits    = 32
	versionBits  = 4
	version      = 2
	sequenceBits = 2 + secondsBits + nibbleBits + positionBits + zeroBits + secondsBits + shardBits + versionBits
)

// String returns the sequence number.
func (s Sequence) String() string {
	n := big.NewInt(2)
	push := func(width uint, value uint64) { n.Lsh(n, width).Or(n, new(big.Int).SetUint64(value)) }
	push(secondsBits, uint64(s.Created))
	push(nibbleBits, uint64(s.Shard&0xf))
	push(positionBits, s.Position)
	push(zeroBits, 0)
	push(secondsBits, uint64(s.Time))
	push(shardBits, uint64(s.Shard))
	push(versionBits, version)
	return n.String()
}

// ParseSequence reads a sequence number.
func ParseSequence(text string) (Sequence, error) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || n.Sign() < 0 || n.BitLen() != sequenceBits {
		return Sequence{}, fmt.Errorf("%q is not a sequence number", text)
	}
	pop := func(width uint) uint64 {
		mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), width), big.NewInt(1))
		value := mask.And(mask, n).Uint64()
		n.Rsh(n, width)
		return value
	}
	found := pop(versionBits)
	s := Sequence{Shard: int(pop(shardBits)), Time: int64(pop(secondsBits))}
	zero := pop(zeroBits)
	s.Position = pop(positionBits)
	nibble := pop(nibbleBits)
	s.Created = int64(pop(secondsBits))
	if found != version || zero != 0 || nibble != uint64(s.Shard&0xf) || n.Int64() != 2 {
		return Sequence{}, fmt.Errorf("%q is not a sequence number", text)
	}
	return s, nil
}
