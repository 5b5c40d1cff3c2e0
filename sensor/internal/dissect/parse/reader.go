// SPDX-License-Identifier: Apache-2.0

package parse

// Reader reads the presentation language of TLS (RFC 8446 section 3) from a slice without copying. A read beyond the
// end returns zero and sets Bad, so a run of reads needs one check at its end.
type Reader struct {
	B   []byte
	Bad bool
}

// Bytes returns the next n bytes, or nil if there are fewer.
func (r *Reader) Bytes(n int) []byte {
	if n < 0 || n > len(r.B) {
		r.B, r.Bad = nil, true
		return nil
	}
	v := r.B[:n]
	r.B = r.B[n:]
	return v
}

// U8 reads one byte.
func (r *Reader) U8() int {
	v := r.Bytes(1)
	if v == nil {
		return 0
	}
	return int(v[0])
}

// U16 reads two bytes.
func (r *Reader) U16() int {
	v := r.Bytes(2)
	if v == nil {
		return 0
	}
	return int(v[0])<<8 | int(v[1])
}

// U24 reads three bytes.
func (r *Reader) U24() int {
	v := r.Bytes(3)
	if v == nil {
		return 0
	}
	return int(v[0])<<16 | int(v[1])<<8 | int(v[2])
}

// Vec8 returns a vector behind its length of one byte.
func (r *Reader) Vec8() []byte { return r.Bytes(r.U8()) }

// Vec16 returns a vector behind its length of two bytes.
func (r *Reader) Vec16() []byte { return r.Bytes(r.U16()) }

// Vec24 returns a vector behind its length of three bytes.
func (r *Reader) Vec24() []byte { return r.Bytes(r.U24()) }

// Uint16s reads b as a list of 16-bit values. An odd byte at the end is dropped.
func Uint16s(b []byte) []uint16 {
	if len(b) < 2 {
		return nil
	}
	v := make([]uint16, len(b)/2)
	for i := range v {
		v[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	return v
}
