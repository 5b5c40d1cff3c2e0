// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"stillwatch/sensor/internal/packet"
)

// A file with two sections of different byte orders, several interfaces, all kinds of packet blocks, and blocks that are skipped.
func TestPcapng(t *testing.T) {
	le := ng{order: binary.LittleEndian}
	le.section().block(0x0bad, make([]byte, 40)) // unknown
	le.iface(1, 96)
	le.iface(113, 0, le.option(optResolution, []byte{9}), le.option(optEnd, nil))
	le.enhanced(0, 1_700_000_000_000_001, []byte("micro"))
	le.block(5, make([]byte, 24)) // statistics
	le.enhanced(1, 1_700_000_001_000_000_002, []byte("nano"))
	le.block(blockOldPacket, le.u16(1, 7), le.u32(0x17979cfe, 0x7ba7a003, 3, 9), []byte("old"))
	le.block(blockSimple, le.u32(6), []byte("simple"))
	big := ng{order: binary.BigEndian}
	big.section().iface(101, 8).iface(1, 0, big.option(optOffset, big.u32(0, 100)), big.option(optResolution, []byte{0}))
	big.block(blockSimple, big.u32(500), []byte("cut to 8"))
	big.enhanced(1, 50, []byte("offset"))

	got, st := readAll(t, nil, put(t, append(le.b, big.b...)))
	want := []struct {
		data string
		time int64
		orig uint32
		link packet.LinkType
	}{
		{"micro", 1_700_000_000_000_001_000, 5, 1},
		{"nano", 1_700_000_001_000_000_002, 4, 113},
		{"old", 0x17979cfe_7ba7a003, 9, 113},
		{"simple", 0x17979cfe_7ba7a003, 6, 1},
		{"cut to 8", 0x17979cfe_7ba7a003, 500, 101},
		{"offset", 150_000_000_000, 6, 1},
	}
	if len(got) != len(want) || len(st.Damage) > 0 {
		t.Fatalf("%d frames, %v", len(got), st.Damage)
	}
	for i, w := range want {
		if g := got[i]; g.data != w.data || g.Time != w.time || g.OrigLen != w.orig || g.Link != w.link {
			t.Errorf("frame %d is %q %+v, not %+v", i, g.data, g.Frame, w)
		}
	}
}

// Simple packets have no time, in one file and across two.
func TestSimplePacketsFirst(t *testing.T) {
	n := ng{order: binary.LittleEndian}
	n.section().iface(1, 0).block(blockSimple, n.u32(1), []byte("x"))
	path := put(t, n.b)
	if got, _ := readAll(t, nil, path); len(got) != 1 || got[0].Time != 0 {
		t.Errorf("%+v", got)
	}
	early := put(t, plain(rec{sec: 0, caplen: 1, orig: 1, data: []byte("e")}, frameOf(77, 1, 0)))
	if got, _ := readAll(t, nil, early, path); len(got) != 3 || got[2].Time != 77e9 {
		t.Errorf("%+v", got)
	}
}

// A packet whose time does not fit has the time of the packet before.
func TestTimeOutOfBounds(t *testing.T) {
	n := ng{order: binary.LittleEndian}
	n.section().iface(1, 0).enhanced(0, 7, []byte("a")).enhanced(0, math.MaxUint64, []byte("b")).enhanced(0, 8, []byte("c"))
	got, st := readAll(t, nil, put(t, n.b))
	if len(got) != 3 || got[1].Time != 7000 || got[2].Time != 8000 || len(st.Damage) > 0 {
		t.Errorf("%+v %v", got, st.Damage)
	}
}

func TestPcapngFCS(t *testing.T) {
	n := ng{order: binary.BigEndian}
	flags := func(v uint32) []byte { return n.option(optFlags, n.u32(v)) }
	for _, c := range []struct {
		name  string
		iface []byte
		opts  [][]byte
		want  uint32
	}{
		{"none", nil, nil, 20},
		{"4 bytes", []byte{4}, nil, 16},
		{"32 bits", []byte{32}, nil, 16},
		{"of the packet", []byte{4}, [][]byte{n.option(1, []byte("note")), flags(2 << 5)}, 18},
		{"not known for the packet", []byte{4}, [][]byte{flags(1)}, 16},
		{"behind the end of options", nil, [][]byte{n.option(optEnd, nil), flags(4 << 5)}, 20},
		{"options that run off", nil, [][]byte{n.u16(1, 500), flags(4 << 5)}, 20},
		{"flags of a wrong length", nil, [][]byte{n.option(optFlags, []byte{0xff, 0xff})}, 20},
	} {
		n.b = nil
		var opts []byte
		if c.iface != nil {
			opts = n.option(optFCS, c.iface)
		}
		n.section().iface(1, 0, opts).enhanced(0, 5, make([]byte, 20), c.opts...)
		got, st := readAll(t, nil, put(t, n.b))
		if len(got) != 1 || len(st.Damage) > 0 || got[0].Len != c.want {
			t.Errorf("%s: %+v %v", c.name, got, st.Damage)
		}
	}
}

// Bad options of an interface are ignored.
func TestPcapngBadOptions(t *testing.T) {
	n := ng{order: binary.LittleEndian}
	for _, opts := range [][]byte{
		n.u16(optResolution, 60000),
		n.option(optResolution, []byte{9, 9}),
		n.option(optResolution, nil),
		n.option(optOffset, []byte{1, 2, 3}),
		n.option(optFCS, []byte{4, 0, 0, 0}),
		{9, 0, 1},
	} {
		n.b = nil
		n.section().iface(1, 0, opts).enhanced(0, 1, []byte("data"))
		got, st := readAll(t, nil, put(t, n.b))
		if len(got) != 1 || got[0].Time != 1000 || got[0].Len != 4 || len(st.Damage) > 0 {
			t.Errorf("%x: %+v %v", opts, got, st.Damage)
		}
	}
}

// A megabyte of unknown blocks before the first packet does not change the order of captures.
func TestManyBlocksBeforeThePacket(t *testing.T) {
	n := ng{order: binary.LittleEndian}
	n.section().iface(1, 0)
	n.block(0x0bad, []byte(strings.Repeat("x", 700_000)))
	for range 20_000 {
		n.block(0x0bad)
	}
	n.enhanced(0, 3e6, []byte("third"))
	late := put(t, n.b)
	got, st := readAll(t, nil, put(t, plain(frameOf(4, 1, 0))), late, put(t, plain(frameOf(2, 1, 0))))
	if len(got) != 3 || len(st.Damage) > 0 || got[1].data != "third" {
		t.Errorf("%+v %v", got, st.Damage)
	}
}
