// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"reflect"
	"testing"
	"unsafe"
)

// checkPacket asserts the invariants of every decoded packet.
func checkPacket(t *testing.T, p *Packet, frame []byte) {
	t.Helper()
	for _, s := range [][]byte{p.Payload, p.Body} {
		if !within(s, frame) {
			t.Errorf("a slice of %d bytes lies outside the frame", len(s))
		}
	}
	if int(p.Verdict) >= NumVerdicts || p.NumVLANs > MaxVLANs || p.NumTunnels > MaxTunnels || p.Count != 1 {
		t.Errorf("verdict %d, vlans %d, tunnels %d, count %d", p.Verdict, p.NumVLANs, p.NumTunnels, p.Count)
	}
	if len(p.Payload) > int(p.PayloadLen) {
		t.Errorf("payload of %d bytes, %d by the headers", len(p.Payload), p.PayloadLen)
	}
	if p.HasIP && p.PayloadLen > p.IPBytes {
		t.Errorf("payload %d, IP bytes %d", p.PayloadLen, p.IPBytes)
	}
	if p.Kind >= KindIP && !p.HasIP || p.Kind == KindARP && len(p.Body) != 28 {
		t.Errorf("kind %d, has IP %v, body %d", p.Kind, p.HasIP, len(p.Body))
	}
	for _, v := range p.VLANs[:p.NumVLANs] {
		if v > 0xfff {
			t.Errorf("vlan %d", v)
		}
	}
	for _, u := range p.Tunnels[:p.NumTunnels] {
		if u.Type == TunnelNone || int(u.Type) >= len(tunnelNames) {
			t.Errorf("tunnel type %d", u.Type)
		}
	}
	if p.Frag == FragNone && (p.FragMore || p.FragOff != 0) {
		t.Error("fragment fields without a fragment")
	}
	back := *p
	back.Src, back.Dst = p.Dst, p.Src
	back.SrcPort, back.DstPort = p.DstPort, p.SrcPort
	back.SrcMAC, back.DstMAC = p.DstMAC, p.SrcMAC
	if back.FlowHash() != p.FlowHash() {
		t.Error("the flow hash differs by direction")
	}
}

// within reports whether s is part of frame, including its capacity.
func within(s, frame []byte) bool {
	if cap(s) == 0 {
		return true
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
	base := uintptr(unsafe.Pointer(unsafe.SliceData(frame)))
	return start >= base && start+uintptr(cap(s)) <= base+uintptr(cap(frame))
}

// equalFields compares two packets without their slices.
func equalFields(x, y Packet) bool { return reflect.DeepEqual(x, y) }
