package streams

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"math/big"
	"math/bits"
	"regexp"
)

// HashKey is a 128-bit hash key.
type HashKey struct{ Hi, Lo uint64 }

// MaxHashKey is the largest hash key.
var MaxHashKey = HashKey{^uint64(0), ^uint64(0)}

// Hash returns the hash key of a partition key: its MD5.
func Hash(partitionKey string) HashKey {
	sum := md5.Sum([]byte(partitionKey))
	return HashKey{binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:])}
}

// Compare returns -1, 0 or 1 as k is less than, equal to or greater than other.
func (k HashKey) Compare(other HashKey) int {
	return cmp.Or(cmp.Compare(k.Hi, other.Hi), cmp.Compare(k.Lo, other.Lo))
}

func (k HashKey) plus(n uint64) HashKey {
	lo, carry := bits.Add64(k.Lo, n, 0)
	return HashKey{k.Hi + carry, lo}
}

func (k HashKey) minus(n uint64) HashKey {
	lo, borrow := bits.Sub64(k.Lo, n, 0)
	return HashKey{k.Hi - borrow, lo}
}

func (k HashKey) big() *big.Int {
	n := new(big.Int).SetUint64(k.Hi)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(k.Lo))
}

func fromBig(n *big.Int) HashKey {
	low := new(big.Int).And(n, new(big.Int).SetUint64(^uint64(0)))
	return HashKey{new(big.Int).Rsh(n, 64).Uint64(), low.Uint64()}
}

// String returns the key in decimal, as the API spells it.
func (k HashKey) String() string { return k.big().String() }

// MarshalText returns the key in decimal.
func (k HashKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText returns.
func (k *HashKey) UnmarshalText(text []byte) error {
	key, err := ParseHashKey("hash key", string(text))
	if err != nil {
		return err
	}
	*k = key
	return nil
}

const hashKeyPattern = `0|([1-9]\d{0,38})`

var hashKeyFormat = regexp.MustCompile(`^(` + hashKeyPattern + `)$`)

// ParseHashKey reads a hash key in decimal; member is its name in the request.
func ParseHashKey(member, text string) (HashKey, error) {
	if !hashKeyFormat.MatchString(text) {
		return HashKey{}, violates(member, text, "Member must satisfy regular expression pattern: "+hashKeyPattern)
	}
	n, _ := new(big.Int).SetString(text, 10)
	if n.BitLen() > 128 {
		return HashKey{}, Invalid("Invalid %s. It must be in the range: [0, 2^128-1]. Specified value was %s", member, text)
	}
	return fromBig(n), nil
}

// uniform returns the first hash key of each of n ranges of equal size, of which the last takes the
// remainder.
func uniform(n int) []HashKey {
	size := new(big.Int).Lsh(big.NewInt(1), 128)
	size.Div(size, big.NewInt(int64(n)))
	keys := make([]HashKey, n)
	for i := range keys {
		keys[i] = fromBig(new(big.Int).Mul(size, big.NewInt(int64(i))))
	}
	return keys
}
