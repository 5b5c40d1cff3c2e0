// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"encoding/binary"
	"math"
)

// kind is what a change does to a part.
type kind uint8

const (
	opPut kind = iota + 1
	opDelete
	opClear
)

// Batch collects changes in order. The zero value is empty.
//
// A change is encoded as: kind u8, part u8+bytes, key u16+bytes, value u32+bytes; all numbers are big-endian.
type Batch struct {
	c      Codec
	n      int
	head   int // offset of the current change
	at     int // offset of the length of its key
	valued int // offset of the length of its value; 0: Value was not called yet
}

// Len returns the number of changes.
func (b *Batch) Len() int { return b.n }

// Size returns the number of encoded bytes.
func (b *Batch) Size() int { return len(b.c.buf) }

// Bytes returns the encoded changes. They are valid until the next change.
func (b *Batch) Bytes() []byte { return b.c.buf }

// Reset empties a batch. It keeps the memory unless that is large.
func (b *Batch) Reset() {
	if cap(b.c.buf) > 16<<20 {
		b.c.buf = nil
	}
	b.c.buf, b.n = b.c.buf[:0], 0
}

// begin writes the start of a change; the caller writes the key.
func (b *Batch) begin(k kind, part string) *Codec {
	b.n++
	b.head, b.valued = len(b.c.buf), 0
	b.c.buf = append(b.c.buf, byte(k), byte(len(part)))
	b.c.buf = append(b.c.buf, part...)
	b.at = len(b.c.buf)
	b.c.buf = append(b.c.buf, 0, 0)
	return &b.c
}

// Put starts a record of a part: the caller writes the key, calls Value, writes the value, and calls End.
func (b *Batch) Put(part string) *Codec { return b.begin(opPut, part) }

// PutSingle writes the record of a part that has only one.
func (b *Batch) PutSingle(part string, walk func(*Codec)) {
	b.Put(part).Raw([]byte{0}) // a key is not empty
	b.Value()
	walk(&b.c)
	b.End()
}

// Delete starts the removal of a record: the caller writes the key and calls End.
func (b *Batch) Delete(part string) *Codec { return b.begin(opDelete, part) }

// Clear removes all records of a part.
func (b *Batch) Clear(part string) {
	b.begin(opClear, part)
	b.End()
}

// Codec returns the Codec of the current change.
func (b *Batch) Codec() *Codec { return &b.c }

// Value ends the key.
func (b *Batch) Value() {
	n := len(b.c.buf) - b.at - 2
	binary.BigEndian.PutUint16(b.c.buf[b.at:], uint16(n))
	b.valued = len(b.c.buf)
	b.c.buf = append(b.c.buf, 0, 0, 0, 0)
}

// End ends the change. A change whose key is too long is dropped.
func (b *Batch) End() {
	if b.valued == 0 {
		b.Value()
	}
	if b.valued-b.at-2 > math.MaxUint16 {
		b.c.buf, b.n = b.c.buf[:b.head], b.n-1
		return
	}
	binary.BigEndian.PutUint32(b.c.buf[b.valued:], uint32(len(b.c.buf)-b.valued-4))
}

// Change is one change of a batch: it writes a record (Value is not nil), removes one, or removes all of a part (Clear).
type Change struct {
	Part       string
	Key, Value []byte
	Clear      bool
}

// Changes decodes changes and calls fn for each. The error is from fn, or ErrDamaged.
func Changes(raw []byte, fn func(Change) error) error {
	for c := Reader(raw); len(c.buf) > 0; {
		var k, n uint8
		c.byte(&k)
		c.byte(&n)
		x := Change{Part: string(c.take(int(n))), Clear: kind(k) == opClear}
		x.Key = c.take(c.length(2))
		x.Value = c.take(c.length(4))
		switch {
		case c.err != nil || kind(k) < opPut || kind(k) > opClear:
			return ErrDamaged
		case kind(k) != opPut:
			x.Value = nil
		}
		if err := fn(x); err != nil {
			return err
		}
	}
	return nil
}

func (c *Codec) byte(v *uint8) {
	if b := c.take(1); b != nil {
		*v = b[0]
	}
}

func (c *Codec) length(size int) (n int) {
	for _, x := range c.take(size) {
		n = n<<8 | int(x)
	}
	return n
}
