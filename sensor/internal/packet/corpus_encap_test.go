// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bufio"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"stillwatch/internal/testneed"
)

type encapRow struct {
	Capture, Proto, Link string
	Endpoints            []struct {
		IP   netip.Addr
		Port uint16
	}
	VLANs []uint16
	Encap []struct {
		Type string
		ID   *uint32
		Src  netip.Addr `json:"outer_src"`
		Dst  netip.Addr `json:"outer_dst"`
	}
}

func TestCorpusEncapsulations(t *testing.T) {
	dir := testneed.Corpus(t)
	f, err := os.Open(filepath.Join(dir, "truth", "encap.jsonl"))
	if err != nil {
		testneed.Missing(t, testneed.CorpusNeed, "no truth on encapsulations: %v", err)
	}
	defer f.Close()
	rows := map[string][]encapRow{}
	var names []string
	for s := bufio.NewScanner(f); s.Scan(); {
		var r encapRow
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if rows[r.Capture] == nil {
			names = append(names, r.Capture)
		}
		rows[r.Capture] = append(rows[r.Capture], r)
	}
	for _, name := range names {
		found := make([]bool, len(rows[name]))
		r := NewReassembler(ReassemblerConfig{})
		err := eachFrame(filepath.Join(dir, "captures", name), func(link LinkType, frame []byte, origLen int) {
			var p Packet
			Decode(&p, link, frame, uint32(origLen))
			if p.Frag != FragNone && !r.Add(&p) {
				return
			}
			for i, r := range rows[name] {
				found[i] = found[i] || r.matches(&p)
			}
		})
		if err != nil {
			t.Error(err)
		}
		for i, ok := range found {
			if !ok {
				t.Errorf("%s: no packet is %+v", name, rows[name][i])
			}
		}
	}
}

// matches reports whether p is of the session and the encapsulation of the row.
func (r *encapRow) matches(p *Packet) bool {
	if !p.HasIP || len(r.Endpoints) != 2 {
		return false
	}
	src, dst := p.Src.NetipOf(p.V6), p.Dst.NetipOf(p.V6)
	a, b := r.Endpoints[0], r.Endpoints[1]
	sport, dport := p.SrcPort, p.DstPort
	if p.Kind == KindICMP || p.Kind == KindICMP6 {
		sport, dport = a.Port, b.Port
	}
	forth := src == a.IP && dst == b.IP && sport == a.Port && dport == b.Port
	back := src == b.IP && dst == a.IP && sport == b.Port && dport == a.Port
	if !forth && !back {
		return false
	}
	if r.VLANs != nil && !slices.Equal(r.VLANs, p.VLANs[:p.NumVLANs]) {
		return false
	}
	if len(r.Encap) != int(p.NumTunnels) {
		return false
	}
	for i, e := range r.Encap {
		t := p.Tunnels[i]
		if t.Type.String() != e.Type || e.ID != nil && t.HasID && t.ID != *e.ID {
			return false
		}
		if e.Src.IsValid() && !(t.Src.Netip() == e.Src && t.Dst.Netip() == e.Dst || t.Src.Netip() == e.Dst && t.Dst.Netip() == e.Src) {
			return false
		}
	}
	return true
}
