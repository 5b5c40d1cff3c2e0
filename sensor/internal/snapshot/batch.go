// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"encoding/binary"
	"math"
)

// What a change does to a part.
type kind uint8

const (
	opPut kind = iota + 1
	opDelete
	opClear
)

// Batch gathers changes in order. The zero value is empty.
//
// As bytes a change is: kind u8, part u8+bytes, key u16+bytes, value u32+bytes, all numbers big-endian.
type Batch struct {
	c      Codec
	n      int
	head   int // where the change at work begins
	at     int // where the length of its key stands
	valued int // where the length of its value stands
}

// Len is the number of changes, Size that of their bytes.
func (b *Batch) Len() int { return b.n }

// Size is the number of bytes.
func (b *Batch) Size() int { return len(b.c.buf) }

// Bytes gives the changes as bytes, which are good until the next change.
func (b *Batch) Bytes() []byte { return b.c.buf }

// Reset empties a batch and keeps its memory, unless that is much.
func (b *Batch) Reset() {
	if cap(b.c.buf) > 16<<20 {
		b.c.buf = nil
	}
	b.c.buf, b.n = b.c.buf[:0], 0
}

// begin writes the head of a change; the key follows.
func (b *Batch) begin(k kind, part string) *Codec {
	b.n++
	b.head, b.valued = len(b.c.buf), 0
	b.c.buf = append(b.c.buf, byte(k), byte(len(part)))
	b.c.buf = append(b.c.buf, part...)
	b.at = len(b.c.buf)
	b.c.buf = append(b.c.buf, 0, 0)
	return &b.c
}

// Put begins a record of a part: the caller writes its key, calls Value, writes its value, and calls End.
func (b *Batch) Put(part string) *Codec { return b.begin(opPut, part) }

// PutSingle writes the record of a part that has but one.
func (b *Batch) PutSingle(part string, walk func(*Codec)) {
	b.Put(part).Raw([]byte{0}) // a key is not empty
	b.Value()
	walk(&b.c)
	b.End()
}

// Delete begins the removal of a record: the caller writes its key, and calls End.
func (b *Batch) Delete(part string) *Codec { return b.begin(opDelete, part) }

// Clear removes all records of a part.
func (b *Batch) Clear(part string) {
	b.begin(opClear, part)
	b.End()
}

// Codec writes into the change at work.
func (b *Batch) Codec() *Codec { return &b.c }

// Value ends the key.
func (b *Batch) Value() {
	n := len(b.c.buf) - b.at - 2
	binary.BigEndian.PutUint16(b.c.buf[b.at:], uint16(n))
	b.valued = len(b.c.buf)
	b.c.buf = append(b.c.buf, 0, 0, 0, 0)
}

// End ends the record. One whose key is too long is taken back.
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

// Change is one change of a batch: a record that was put (Value is not nil), one that was removed, or (Clear) all of them.
type Change struct {
	Part       string
	Key, Value []byte
	Clear      bool
}

// Changes reads changes from bytes and calls fn for each. The error is that of fn, or ErrDamaged.
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
