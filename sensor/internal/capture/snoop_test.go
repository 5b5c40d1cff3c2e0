// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/gopacket/pcapgo"

	"stillwatch/sensor/internal/packet"
)

// Two readers agree on a snoop capture: this one and that of pcapgo, which panics at frames that were cut.
func TestSnoop(t *testing.T) {
	cut := frameOf(1_700_000_002, 61, 3)
	cut.frac, cut.orig = 999_999, 1514
	raw := snoopOf(frameOf(1_700_000_000, 60, 1), frameOf(1_700_000_001, 0, 2), cut)
	got, st := readAll(t, nil, put(t, gzipped(t, raw)))
	if len(got) != 3 || len(st.Damage) > 0 {
		t.Fatalf("%d frames, %v", len(got), st.Damage)
	}
	if f := got[2]; f.Time != 1_700_000_002_999_999_000 || f.Len != 61 || f.OrigLen != 1514 || f.Link != packet.LinkEthernet {
		t.Errorf("%+v", f)
	}
	r, err := pcapgo.NewSnoopReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		data, ci, err := r.ReadPacketData()
		if err != nil || string(data) != got[i].data || ci.Timestamp.UnixNano() != got[i].Time || ci.Length != int(got[i].OrigLen) {
			t.Errorf("frame %d: %v; %+v and %+v", i, err, got[i].Frame, ci)
		}
	}
}

func TestDamagedSnoop(t *testing.T) {
	const rec = 16 // offset of the first record
	whole := func() []byte { return snoopOf(frameOf(1, 60, 1)) }
	with := func(at int, v uint32) []byte {
		b := whole()
		binary.BigEndian.PutUint32(b[at:], v)
		return b
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"version", with(8, 3), "byte 0: the file header of snoop has version 3; only version 2 is known"},
		{"identification", with(4, 1), "the file header of snoop"},
		{"link type", with(12, 26), "the frames have the link type 26 of snoop; only Ethernet is read"},
		{"captured length", with(rec+4, 0xfffffff0), "byte 16: the record claims 4294967280 captured bytes"},
		{"length of 0", with(rec+8, 0), "the record claims a length of 0 bytes with 60 captured bytes"},
		{"length below the frame", with(rec+8, 83), "the record claims a length of 83 bytes with 60 captured bytes"},
		{"length absurd", with(rec+8, 0xfffffff0), "the record claims a length of 4294967280 bytes with 60 captured bytes"},
		{"cut", whole()[:50], "the file ends within a record: it has 34 of 84 bytes"},
	} {
		_, st := readAll(t, nil, put(t, c.data))
		if len(st.Damage) != 1 || !strings.Contains(st.Damage[0].String(), c.want) {
			t.Errorf("%s: %v", c.name, st.Damage)
		}
	}
}
