// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// decode reads every frame with gopacket and fails on any that it cannot read to the end.
func decode(t *testing.T, n *Net) []gopacket.Packet {
	t.Helper()
	var out []gopacket.Packet
	for i, f := range n.Frames() {
		p := gopacket.NewPacket(f.Data, layers.LayerTypeEthernet, gopacket.Default)
		if e := p.ErrorLayer(); e != nil && len(f.Data) == f.Len {
			t.Fatalf("frame %d: %v", i, e.Error())
		}
		out = append(out, p)
	}
	return out
}

// streams reassembles the payload of each TCP direction by sequence number. It fails on a gap, on a retransmission with other bytes,
// and on an acknowledgement of bytes that were not sent.
func streams(t *testing.T, n *Net) map[string][]byte {
	t.Helper()
	type half struct {
		base uint32
		data []byte
	}
	halves := map[string]*half{}
	for i, p := range decode(t, n) {
		tcp, ok := p.TransportLayer().(*layers.TCP)
		if !ok {
			continue
		}
		src, dst := p.NetworkLayer().NetworkFlow().Endpoints()
		key := fmt.Sprintf("%s:%d>%s:%d", src, tcp.SrcPort, dst, tcp.DstPort)
		rev := fmt.Sprintf("%s:%d>%s:%d", dst, tcp.DstPort, src, tcp.SrcPort)
		if tcp.SYN {
			if halves[key] == nil {
				halves[key] = &half{base: tcp.Seq + 1}
			}
			continue
		}
		if tcp.RST {
			continue
		}
		h := halves[key]
		off := int(int32(tcp.Seq - h.base))
		switch {
		case off == len(h.data)+1 && len(tcp.Payload) == 0: // the sequence number of a FIN
		case off > len(h.data):
			t.Fatalf("frame %d: %s: gap of %d bytes", i, key, off-len(h.data))
		case off < len(h.data) && len(tcp.Payload) > 0:
			if !bytes.Equal(h.data[off:off+len(tcp.Payload)], tcp.Payload) {
				t.Fatalf("frame %d: %s: resent bytes differ", i, key)
			}
		default:
			h.data = append(h.data, tcp.Payload...)
		}
		if r := halves[rev]; r != nil && int(int32(tcp.Ack-r.base)) > len(r.data)+1 {
			t.Fatalf("frame %d: %s acknowledges what was not sent", i, key)
		}
	}
	out := map[string][]byte{}
	for k, h := range halves {
		out[k] = h.data
	}
	return out
}
