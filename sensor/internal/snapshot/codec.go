// SPDX-License-Identifier: Apache-2.0

// Package snapshot encodes the state of a sensor, so that it survives a restart. One function walks a value in both directions: with a writing
// Codec it encodes the value, with a reading one it decodes it. The input may be damaged or hostile: lengths are checked before use, and the
// first error ends the decoding.
package snapshot

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
)

// ErrDamaged means that the input was not written by a Codec.
var ErrDamaged = errors.New("damaged")

// Codec encodes or decodes values. After an error it decodes zero values.
type Codec struct {
	buf     []byte // written so far, or not yet read
	reading bool
	err     error
}

// Reader returns a Codec that decodes b.
func Reader(b []byte) *Codec { return &Codec{buf: b, reading: true} }

// Writer returns a Codec that appends to b.
func Writer(b []byte) *Codec { return &Codec{buf: b} }

// Reading reports whether the Codec decodes.
func (c *Codec) Reading() bool { return c.reading }

// Bytes returns the encoded bytes.
func (c *Codec) Bytes() []byte { return c.buf }

// Fail ends the decoding with ErrDamaged, because a decoded value is invalid.
func (c *Codec) Fail() {
	if c.reading {
		c.err, c.buf = ErrDamaged, nil
	}
}

// Done returns the error of the decoding. Remaining bytes are an error too.
func (c *Codec) Done() error {
	if c.reading && len(c.buf) > 0 {
		c.Fail()
	}
	return c.err
}

// take returns the next n bytes, nil if there are fewer.
func (c *Codec) take(n int) []byte {
	if n > len(c.buf) || n < 0 {
		c.Fail()
		return nil
	}
	b := c.buf[:n]
	c.buf = c.buf[n:]
	return b
}

// Raw walks an array of bytes.
func (c *Codec) Raw(p []byte) {
	if !c.reading {
		c.buf = append(c.buf, p...)
		return
	}
	copy(p, c.take(len(p)))
}

// Uint walks a number that is usually small.
func (c *Codec) Uint(v *uint64) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, *v)
		return
	}
	x, n := binary.Uvarint(c.buf)
	if n <= 0 {
		c.Fail()
		n = 0
	}
	*v, c.buf = x, c.buf[n:]
}

// Number walks an unsigned number of any size.
func Number[T ~uint8 | ~uint16 | ~uint32 | ~uint64](c *Codec, v *T) {
	x := uint64(*v)
	c.Uint(&x)
	if *v = T(x); uint64(*v) != x {
		*v = 0
		c.Fail()
	}
}

// Enum walks a number that is at most last.
func Enum[T ~uint8](c *Codec, v *T, last T) {
	if Number(c, v); *v > last {
		*v = 0
		c.Fail()
	}
}

// Int walks a number that is usually small.
func (c *Codec) Int(v *int) {
	x := uint64(int64(*v)<<1) ^ uint64(int64(*v)>>63)
	c.Uint(&x)
	*v = int(int64(x>>1) ^ -int64(x&1))
}

// Time walks a time in nanoseconds, and other numbers that are usually large.
func (c *Codec) Time(v *int64) {
	x := uint64(*v)
	c.Fixed(&x)
	*v = int64(x)
}

// Fixed walks a number as eight bytes, big-endian, so that encoded numbers sort by value.
func (c *Codec) Fixed(v *uint64) {
	if !c.reading {
		c.buf = binary.BigEndian.AppendUint64(c.buf, *v)
		return
	}
	*v = 0
	if b := c.take(8); b != nil {
		*v = binary.BigEndian.Uint64(b)
	}
}

// Float walks a finite number.
func (c *Codec) Float(v *float64) {
	x := math.Float64bits(*v)
	c.Fixed(&x)
	if *v = math.Float64frombits(x); math.IsNaN(*v) || math.IsInf(*v, 0) {
		*v = 0
		c.Fail()
	}
}

// Bool walks a bool.
func (c *Codec) Bool(v *bool) {
	x := uint8(0)
	if *v {
		x = 1
	}
	Enum(c, &x, 1)
	*v = x == 1
}

// String walks a string; a decoded string is a copy.
func (c *Codec) String(v *string) {
	n := c.Len(len(*v), math.MaxInt32)
	if c.reading {
		*v = string(c.take(n))
		return
	}
	c.buf = append(c.buf, *v...)
}

// Len walks the length of a list with n elements, at most limit, each of which takes at least one byte.
func (c *Codec) Len(n, limit int) int {
	x := uint64(n)
	c.Uint(&x)
	if c.reading && (x > uint64(limit) || x > uint64(len(c.buf))) {
		c.Fail()
		return 0
	}
	return int(x)
}

// List walks a list of at most limit elements. An empty list is decoded as nil.
func List[T any](c *Codec, list *[]T, limit int, walk func(*T)) {
	n := c.Len(len(*list), limit)
	if c.reading {
		*list = nil
		if n > 0 {
			*list = make([]T, n)
		}
	}
	for i := range *list {
		walk(&(*list)[i])
		if c.err != nil {
			*list = nil
			return
		}
	}
}

// Addr walks an address, which may be the zero Addr. Zones are not saved.
func (c *Codec) Addr(v *netip.Addr) {
	kind := uint8(v.BitLen() / 32) // 0, 1 or 4
	Enum(c, &kind, 4)
	switch kind {
	case 0:
		*v = netip.Addr{}
	case 1:
		b := [4]byte{}
		if v.Is4() {
			b = v.As4()
		}
		c.Raw(b[:])
		*v = netip.AddrFrom4(b)
	case 4:
		b := v.As16()
		c.Raw(b[:])
		*v = netip.AddrFrom16(b)
	default:
		c.Fail()
	}
}

// Pointer walks the value of a pointer, which may be nil.
func Pointer[T any](c *Codec, p **T, walk func(*T)) {
	there := *p != nil
	c.Bool(&there)
	if !there {
		*p = nil
		return
	}
	if c.reading {
		*p = new(T)
	}
	walk(*p)
}
