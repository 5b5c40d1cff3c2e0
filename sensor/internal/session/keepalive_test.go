// SPDX-License-Identifier: Apache-2.0

package session

import (
	"testing"

	"stillwatch/sensor/internal/packet"
)

// A stream that is caught midstream begins with the first byte that is no keep-alive.
func TestKeepAlivesBeforeAStream(t *testing.T) {
	const request = "GET / HTTP/1.1\r\n\r\n"
	probe := func(w *wire, client bool, payload string) *packet.Packet {
		p := w.packet(client, ack, "")
		p.Seq--
		p.Payload, p.PayloadLen = []byte(payload), uint32(len(payload))
		return p
	}
	type step func(w *wire) *packet.Packet
	garbage := func(w *wire) *packet.Packet { return probe(w, true, "\x00") }
	bare := func(w *wire) *packet.Packet { return probe(w, true, "") }
	answer := func(w *wire) *packet.Packet { return w.packet(false, ack, "") }
	plain := func(w *wire) *packet.Packet { return w.packet(true, ack, "") }
	for name, steps := range map[string][]step{
		"a byte":                     {garbage},
		"a byte, answered, twice":    {garbage, answer, garbage, answer},
		"nothing":                    {bare},
		"nothing, answered":          {bare, answer, bare, answer},
		"nothing, then a byte":       {bare, garbage},
		"an acknowledgement, a byte": {plain, garbage, answer},
		"answers alone":              {answer, answer},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			r.tab = New(DefaultConfig(), r)
			r.want = func(head []byte) int { return len(head) + 1 }
			w := newWire()
			for _, s := range steps {
				r.tab.Add(s(w))
			}
			r.tab.Add(w.packet(true, ack|packet.PSH, request))
			found := false
			for _, head := range r.streams {
				found = found || head == request
			}
			if !found {
				t.Errorf("%q", r.streams)
			}
		})
	}
}

// A single byte is part of a stream that begins with a SYN, and of one in which it is pushed.
func TestSingleByteSegmentsAreRead(t *testing.T) {
	for _, script := range []string{"cS sSA cA:G cA:ET", "cS sSA cA cA:G cA:ET"} {
		r := &recorder{want: func(head []byte) int { return len(head) + 1 }}
		r.tab = New(DefaultConfig(), r)
		newWire().play(r.tab, script)
		if len(r.streams) != 1 {
			t.Fatalf("%q", r.streams)
		}
		for _, head := range r.streams {
			if head != "GET" {
				t.Errorf("%s: %q", script, head)
			}
		}
	}
	r := &recorder{want: func(head []byte) int { return len(head) + 1 }}
	r.tab = New(DefaultConfig(), r)
	w := newWire()
	r.tab.Add(w.packet(true, ack|packet.PSH, "l"))
	r.tab.Add(w.packet(true, ack|packet.PSH, "s"))
	for _, head := range r.streams {
		if head != "ls" {
			t.Errorf("%q", head)
		}
	}
}
