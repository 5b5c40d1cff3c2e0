// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"stillwatch/sensor/internal/capture/pcapfile"
	"stillwatch/sensor/internal/packet"
)

func TestPcapVariants(t *testing.T) {
	variants := []struct {
		name  string
		magic uint32
		pad   int
		unit  int64
	}{
		{"microseconds", pcapMicro, 0, 1000},
		{"nanoseconds", pcapNano, 0, 1},
		{"Kuznetsov", pcapKuznet, 8, 1000},
		{"IXIA hardware", pcapIXIAHW, 0, 1},
		{"IXIA software", pcapIXIASW, 0, 1000},
	}
	for _, v := range variants {
		for name, o := range orders() {
			t.Run(v.name+" "+name, func(t *testing.T) {
				r := frameOf(1_700_000_000, 60, 1)
				r.frac, r.orig = 123_456, 1514
				last := frameOf(1_700_000_001, 0, 0)
				got, st := readAll(t, nil, put(t, pcapOf(o, v.magic, 113, v.pad, r, last)))
				if len(got) != 2 || len(st.Damage) > 0 {
					t.Fatalf("%d frames, %v", len(got), st.Damage)
				}
				want := Frame{Time: 1_700_000_000_000_000_000 + 123_456*v.unit, Off: got[0].Off, Len: 60, OrigLen: 1514,
					Link: packet.LinkLinuxSLL}
				if got[0].Frame != want || got[0].data != string(r.data) {
					t.Errorf("%+v, not %+v", got[0].Frame, want)
				}
				if got[1].Len != 0 || got[1].Time != 1_700_000_001_000_000_000 {
					t.Errorf("the empty frame is %+v", got[1].Frame)
				}
			})
		}
	}
}

func TestPcapTimes(t *testing.T) {
	for _, c := range []struct {
		sec, frac uint32
		want      int64
	}{
		{0, 0, 0},
		{0x7fffffff, 999_999, 2147483647_999999000},
		{0x80000000, 0, 2147483648_000000000}, // after January 2038: the field has no sign
		{0xffffffff, 999_999, 4294967295_999999000},
		{100, 1_000_000, 100_999999999},
		{100, 0xffffffff, 100_999999999},
	} {
		r := frameOf(c.sec, 4, 0)
		r.frac = c.frac
		got, _ := readAll(t, nil, put(t, plain(r)))
		if got[0].Time != c.want {
			t.Errorf("%d.%06d is %d, not %d", c.sec, c.frac, got[0].Time, c.want)
		}
	}
}

// The lengths of a record, and the check sequence of the link type field.
func TestPcapLengths(t *testing.T) {
	const fcs4 = 1 | 1<<26 | 2<<28 // Ethernet, two units of 16 bits
	for _, c := range []struct {
		name          string
		minor         uint16
		link          uint32
		first, second uint32 // lengths as written
		there         int
		length, orig  uint32
	}{
		{"whole", 4, 1, 60, 60, 60, 60, 60},
		{"cut by the snap length", 4, 1, 60, 1514, 60, 60, 1514},
		{"original shorter than captured", 4, 1, 64, 60, 64, 64, 64},
		{"original not known", 4, 1, 60, 0, 60, 60, 60},
		{"captured more than the snap length of the file", 4, 1, 70000, 70000, 70000, 70000, 70000},
		{"reserved bits of the link type", 4, 0x00300001, 60, 60, 60, 60, 60},
		{"check sequence", 4, fcs4, 64, 64, 64, 60, 60},
		{"check sequence partly cut", 4, fcs4, 62, 64, 62, 60, 60},
		{"check sequence cut", 4, fcs4, 50, 64, 50, 50, 60},
		{"check sequence longer than the frame", 4, fcs4, 3, 3, 3, 3, 3},
		{"length without the bit", 4, 1 | 2<<28, 64, 64, 64, 64, 64},
		{"version 2.2", 2, 1, 1514, 60, 60, 60, 1514},
		{"version 2.3, swapped", 3, 1, 1514, 60, 60, 60, 1514},
		{"version 2.3, not swapped", 3, 1, 60, 1514, 60, 60, 1514},
	} {
		for name, o := range orders() {
			b := pcapOf(o, pcapMicro, c.link, 0, rec{1, 0, c.first, c.second, make([]byte, c.there)})
			o.PutUint16(b[6:], c.minor)
			got, st := readAll(t, nil, put(t, b))
			if len(got) != 1 || len(st.Damage) > 0 {
				t.Errorf("%s, %s: %d frames, %v", c.name, name, len(got), st.Damage)
				continue
			}
			if f := got[0]; f.Len != c.length || f.OrigLen != c.orig || f.Link != packet.LinkEthernet {
				t.Errorf("%s, %s: %+v", c.name, name, f.Frame)
			}
		}
	}
}

// Two captures in one file, as `tcpdump -w - >>` writes them.
func TestAppendedCaptures(t *testing.T) {
	for name, o := range orders() {
		one := pcapOf(o, pcapNano, 1, 0, frameOf(1, 60, 1), frameOf(2, 0, 0))
		two := pcapOf(o, pcapNano, 101, 0, frameOf(3, 40, 2))
		for _, size := range []int{64, 1 << 16} {
			got, st := readAll(t, []Option{BatchSize(size)}, put(t, bytes.Join([][]byte{one, two, two}, nil)))
			if len(got) != 4 || len(st.Damage) > 0 || got[1].Len != 0 || got[3].Time != 3e9 || got[3].Link != packet.LinkRaw {
				t.Errorf("%s: %+v %v", name, got, st.Damage)
			}
		}
	}
}

// Frames that end at, before and after the end of a buffer, and one that is larger than many buffers.
func TestFramesAcrossBuffers(t *testing.T) {
	var recs []rec
	for i := range 300 {
		recs = append(recs, frameOf(uint32(i), i*7%253, byte(i)))
	}
	recs = append(recs, frameOf(300, 100_000, 0xaa), frameOf(301, 60, 0xbb))
	file := put(t, plain(recs...))
	for size := 64; size < 400; size += 3 {
		got, st := readAll(t, []Option{BatchSize(size)}, file)
		if len(got) != len(recs) || len(st.Damage) > 0 {
			t.Fatalf("buffers of %d: %d frames, %v", size, len(got), st.Damage)
		}
		for i, r := range recs {
			if got[i].data != string(r.data) || got[i].Time != int64(r.sec)*1e9 {
				t.Fatalf("buffers of %d: frame %d is %+v", size, i, got[i].Frame)
			}
		}
	}
}

// A large frame must not leave a large buffer in every batch.
func TestBuffersShrink(t *testing.T) {
	f, err := OpenFiles([]string{put(t, plain(frameOf(0, 1<<20, 1), frameOf(1, 60, 2), frameOf(2, 1000, 3)))}, BatchSize(1024))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b Batch
	for f.Next(&b) == nil {
		if last := b.Frames[len(b.Frames)-1]; last.Time == 2e9 && cap(b.Data) > 16<<10 {
			t.Errorf("the buffer still has %d bytes", cap(b.Data))
		}
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	var recs []rec
	for range 3000 {
		recs = append(recs, frameOf(1, 700, 1))
	}
	f, err := OpenFiles([]string{put(t, plain(recs...))}, BatchSize(4096))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b Batch
	for range 10 {
		if err := f.Next(&b); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(300, func() {
		if err := f.Next(&b); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

// The messages for damaged captures.
func TestDamage(t *testing.T) {
	good := frameOf(1, 60, 1)
	huge := rec{caplen: 1 << 31, orig: 1 << 31}
	le := ng{order: binary.LittleEndian}
	begin := func() *ng { return (&ng{order: le.order}).section().iface(1, 0) }
	one := func() *ng { return begin().enhanced(0, 1, make([]byte, 60)) }
	patched := func(b []byte, at int, v uint32) []byte {
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	many := (&ng{order: le.order}).section()
	for range 4096 + 1 {
		many.iface(1, 0)
	}
	idb := len((&ng{order: le.order}).section().b)
	pkt := len(begin().b)
	whole := plain(good, good)
	for _, c := range []struct {
		name   string
		data   []byte
		frames int
		want   string // Damage.String after the name
	}{
		{"header cut", whole[:20], 0, "broken at packet 1, byte 0: the file ends within a record: it has 20 of 24 bytes"},
		{"record header cut", whole[:24+76+9], 1, "broken at packet 2, byte 100: the file ends within a record: it has 9 of 16 bytes"},
		{"frame cut", whole[:len(whole)-1], 1, "broken at packet 2, byte 100: the file ends within a record: it has 75 of 76 bytes"},
		{"absurd length", plain(good, good, huge, good), 2, "broken at packet 3, byte 176: the record claims 2147483648 captured bytes; no frame has more than 16777216"},
		{"large claim at the end", plain(good, rec{caplen: pcapfile.MaxFrame, orig: pcapfile.MaxFrame, data: good.data}), 1,
			"broken at packet 2, byte 100: the file ends within a record: it has 76 of 16777232 bytes"},
		{"section cut", one().b[:20], 0, "broken at packet 1, byte 0: the file ends within a record: it has 20 of 28 bytes"},
		{"packet block cut", one().b[:pkt+40], 0, "broken at packet 1, byte 48: the file ends within a record: it has 40 of 92 bytes"},
		{"a few bytes behind the end", append(one().b, 1, 2, 3), 1, "broken at packet 2, byte 140: the file ends within a record: it has 3 of 12 bytes"},
		{"no byte order", patched(one().b, 8, 0x01020304), 0, "broken at packet 1, byte 0: the section header has 0x01020304 where its byte order should be"},
		{"version 2", patched(one().b, 12, 2), 0, "broken at packet 1, byte 0: the section has version 2; only version 1 is known"},
		{"short section", (&ng{order: le.order}).block(blockSection, le.u32(byteOrderMagic)).b, 0, "broken at packet 1, byte 0: the section header has only 12 bytes"},
		{"length below the least", patched(one().b, idb+4, 8), 0, "broken at packet 1, byte 28: the block claims a length of 8 bytes; 12 is the least"},
		{"length no multiple of 4", patched(one().b, idb+4, 21), 0, "broken at packet 1, byte 28: the block claims a length of 21 bytes, which is no multiple of 4"},
		{"length absurd", patched(one().b, pkt+4, 0xfffffff0), 0, "broken at packet 1, byte 48: the block claims a length of 4294967280 bytes; no more than 17825792 are taken"},
		{"lengths differ", patched(one().b, len(one().b)-4, 88), 0, "broken at packet 1, byte 48: the block has the length 92 at its start and 88 at its end"},
		{"interface without its fields", (&ng{order: le.order}).section().block(blockInterface, []byte{1, 0, 0, 0}).b, 0,
			"broken at packet 1, byte 28: the interface description has only 4 bytes"},
		{"too many interfaces", many.b, 0, "broken at packet 1, byte 81948: the section describes more than 4096 interfaces"},
		{"packet before any interface", (&ng{order: le.order}).section().enhanced(0, 1, good.data).b, 0,
			"broken at packet 1, byte 28: the packet is of interface 0, but the section describes 0"},
		{"simple packet before any interface", (&ng{order: le.order}).section().block(blockSimple, le.u32(4, 0)).b, 0,
			"broken at packet 1, byte 28: the packet is of interface 0, but the section describes none"},
		{"no such interface", one().enhanced(7, 1, good.data).b, 1, "broken at packet 2, byte 140: the packet is of interface 7, but the section describes 1"},
		{"interfaces of another section", one().section().enhanced(0, 1, good.data).b, 1,
			"broken at packet 2, byte 168: the packet is of interface 0, but the section describes 0"},
		{"short packet block", begin().block(blockEnhanced, le.u32(0, 0)).b, 0, "broken at packet 1, byte 48: the packet block has only 16 bytes"},
		{"short simple packet block", begin().block(blockSimple).b, 0, "broken at packet 1, byte 48: the packet block has only 8 bytes"},
		{"frame larger than its block", begin().block(blockEnhanced, le.u32(0, 0, 0, 61, 61), good.data).b, 0,
			"broken at packet 1, byte 48: the packet claims 61 captured bytes in a block with room for 60"},
		{"simple frame larger than its block", begin().block(blockSimple, le.u32(61), good.data).b, 0,
			"broken at packet 1, byte 48: the packet claims 61 captured bytes in a block with room for 60"},
		{"gzip cut", gzipped(t, whole)[:30], -1, "damaged gzip compression: unexpected end"},
		{"gzip followed by other bytes", append(gzipped(t, whole), "other bytes"...), 2, "damaged gzip compression: gzip: invalid header"},
		{"gzip header only", gzipped(t, whole)[:5], 0, "broken at packet 1, byte 0: damaged gzip compression: unexpected end"},
		{"xz cut", compressed(t, "xz", bytes.Repeat(whole, 100))[:80], -1, "damaged xz compression: unexpected end"},
		{"bzip2 cut", compressed(t, "bzip2", bytes.Repeat(whole, 100))[:80], 0, "damaged bzip2 compression: unexpected end"},
		{"lz4 cut", lz4ed(t, whole)[:40], 0, "damaged lz4 compression: unexpected end"},
		{"zstd cut", zstded(t, bytes.Repeat(whole, 100))[:40], -1, "damaged zstd compression: unexpected end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, after := put(t, c.data), put(t, plain(frameOf(4_000_000_000, 61, 9)))
			got, st := readAll(t, nil, path, after)
			if len(st.Damage) != 1 || st.Damage[0].File != path {
				t.Fatalf("damage: %v", st.Damage)
			}
			if said := st.Damage[0].String(); !strings.HasSuffix(said, c.want) {
				t.Errorf("it says\n%s, not\n%s", said, c.want)
			}
			if last := got[len(got)-1]; last.Len != 61 {
				t.Error("the next file was not read")
			}
			if c.frames >= 0 && (len(got)-1 != c.frames || st.Damage[0].Packet != uint64(c.frames)) {
				t.Errorf("%d frames before the damage, %+v", len(got)-1, st.Damage)
			}
		})
	}
}
