// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"bytes"
	"math"

	"stillwatch/sensor/internal/dissect"
)

const (
	echoKept   = 16 // requests that may still be answered
	echoHead   = 64 // bytes of a request that are kept
	echoShort  = 16 // a reply with less is not compared: some hosts cut what they return
	echoSingly = 64 // messages that are reported one by one; afterwards every 16th is

	echoUnanswered = 8 // messages that are reported although no reply was compared
)

// Echo reads the echo messages of one session (ICMP and ICMPv6), of which at least one has a payload that no ping program sends. A host
// returns the data of a request unchanged (RFC 792, RFC 4443 section 4.2); the ends of a tunnel send data of their own. It keeps the first
// bytes of a few requests until they are answered, and reports no byte of them.
type Echo struct {
	data     dissect.EchoData
	counts   [256]uint32 // how often each byte value occurred
	requests [echoKept]echoRequest
	next     int // of requests: where the next one is kept
}

// echoRequest is the start of a request. n is its length, at most echoHead; 0: none.
type echoRequest struct {
	id, seq uint16
	n       uint8
	usual   bool
	head    [echoHead]byte
}

// Message reads one message; usual means that its payload is one that ping programs send. It reports a fact if the message shows that this is no ping: its payload is not that of the request, or no request
// was answered so far.
func (x *Echo) Message(dir int, id, seq uint16, payload []byte, usual bool, sink dissect.Sink) {
	if !usual {
		x.count(payload)
	}
	differs := false
	if dir == dissect.FromClient {
		x.keep(id, seq, payload, usual)
	} else {
		differs = x.compare(id, seq, payload, usual)
	}
	ping := x.data.Unequal == 0 && (x.data.Compared > 0 || x.data.Messages < echoUnanswered)
	if ping || usual && !differs || x.data.Messages > echoSingly && x.data.Messages%16 != 0 {
		return
	}
	fact := x.data
	fact.Entropy = x.entropy()
	sink(&fact)
}

func (x *Echo) count(payload []byte) {
	x.data.Messages++
	x.data.Bytes += uint64(len(payload))
	for _, b := range payload {
		x.counts[b]++
	}
}

func (x *Echo) keep(id, seq uint16, payload []byte, usual bool) {
	r := &x.requests[x.next]
	x.next = (x.next + 1) % echoKept
	r.id, r.seq, r.usual = id, seq, usual
	r.n = uint8(copy(r.head[:], payload))
}

// compare reports whether a reply differs from the latest request with its numbers, as far as both are kept. Where both are usual nothing is compared.
func (x *Echo) compare(id, seq uint16, payload []byte, usual bool) bool {
	for i := range echoKept {
		r := &x.requests[(x.next-1-i+2*echoKept)%echoKept]
		if r.n == 0 || r.id != id || r.seq != seq {
			continue
		}
		n := min(int(r.n), len(payload))
		if usual && r.usual || n < echoShort {
			return false
		}
		x.data.Compared++
		if bytes.Equal(r.head[:n], payload[:n]) {
			return false
		}
		x.data.Unequal++
		return true
	}
	return false
}

// entropy returns the entropy of all counted bytes, bits per byte.
func (x *Echo) entropy() (bits float64) {
	for _, n := range x.counts {
		if n > 0 {
			p := float64(n) / float64(x.data.Bytes)
			bits -= p * math.Log2(p)
		}
	}
	return bits
}
