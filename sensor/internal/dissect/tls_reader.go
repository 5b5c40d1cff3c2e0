// SPDX-License-Identifier: Apache-2.0

package dissect

// tlsReader reads the presentation language of TLS (RFC 8446 section 3) from a slice without copying. A read beyond
// the end gives zeros and sets bad, so a run of reads needs one check at its end.
type tlsReader struct {
	b   []byte
	bad bool
}

// bytes gives the next n bytes, nil if there are fewer.
func (r *tlsReader) bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *tlsReader) u8() int {
	v := r.bytes(1)
	if v == nil {
		return 0
	}
	return int(v[0])
}

func (r *tlsReader) u16() int {
	v := r.bytes(2)
	if v == nil {
		return 0
	}
	return int(v[0])<<8 | int(v[1])
}

func (r *tlsReader) u24() int {
	v := r.bytes(3)
	if v == nil {
		return 0
	}
	return int(v[0])<<16 | int(v[1])<<8 | int(v[2])
}

// vec8, vec16 and vec24 give a vector that is led by its length in one, two or three bytes.
func (r *tlsReader) vec8() []byte  { return r.bytes(r.u8()) }
func (r *tlsReader) vec16() []byte { return r.bytes(r.u16()) }
func (r *tlsReader) vec24() []byte { return r.bytes(r.u24()) }

// tlsUint16s reads b as a list of 16-bit values; an odd byte at the end is dropped.
func tlsUint16s(b []byte) []uint16 {
	if len(b) < 2 {
		return nil
	}
	v := make([]uint16, len(b)/2)
	for i := range v {
		v[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	return v
}
