// SPDX-License-Identifier: Apache-2.0

// Package snapshot turns what a sensor knows into bytes and back, so that it survives a restart. One function walks a value in
// both directions: with a writing Codec it appends, with a reading one it fills in. What is read may be damaged, or made to do harm:
// lengths are checked before use, and the first fault ends the reading.
package snapshot

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
)

// ErrDamaged says that bytes are not what a Codec has written.
var ErrDamaged = errors.New("damaged")

// Codec writes values to bytes, or reads them. After a fault it reads zero values.
type Codec struct {
	buf     []byte // written so far, or not yet read
	reading bool
	err     error
}

// Reader gives a Codec that reads b.
func Reader(b []byte) *Codec { return &Codec{buf: b, reading: true} }

// Writer gives a Codec that appends to b.
func Writer(b []byte) *Codec { return &Codec{buf: b} }

// Reading tells the direction.
func (c *Codec) Reading() bool { return c.reading }

// Bytes gives what was written.
func (c *Codec) Bytes() []byte { return c.buf }

// Fail ends the reading: what was read cannot be.
func (c *Codec) Fail() {
	if c.reading {
		c.err, c.buf = ErrDamaged, nil
	}
}

// Done gives the fault of a reading, one being that something is left over.
func (c *Codec) Done() error {
	if c.reading && len(c.buf) > 0 {
		c.Fail()
	}
	return c.err
}

// take gives the next n bytes, nil if there are not so many.
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

// Uint walks a number that is small as a rule.
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

// Int walks a number that is small as a rule.
func (c *Codec) Int(v *int) {
	x := uint64(int64(*v)<<1) ^ uint64(int64(*v)>>63)
	c.Uint(&x)
	*v = int(int64(x>>1) ^ -int64(x&1))
}

// Time walks a time in nanoseconds, and other numbers that are great as a rule.
func (c *Codec) Time(v *int64) {
	x := uint64(*v)
	c.Fixed(&x)
	*v = int64(x)
}

// Fixed walks a number as eight bytes, in the order of its value.
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

// Float walks a number that is neither infinite nor none.
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

// String walks a text; what is read is a copy.
func (c *Codec) String(v *string) {
	n := c.Len(len(*v), math.MaxInt32)
	if c.reading {
		*v = string(c.take(n))
		return
	}
	c.buf = append(c.buf, *v...)
}

// Len walks the length of a list that has n elements, at most limit and at least a byte each.
func (c *Codec) Len(n, limit int) int {
	x := uint64(n)
	c.Uint(&x)
	if c.reading && (x > uint64(limit) || x > uint64(len(c.buf))) {
		c.Fail()
		return 0
	}
	return int(x)
}

// List walks a list of at most limit elements. An empty one is nil when it is read.
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

// Addr walks an address, which may be none; zones are not kept.
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

// Pointer walks what is behind a pointer, which may be nil.
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
