// SPDX-License-Identifier: Apache-2.0

package packets_test

import (
	"bytes"
	"strings"
	"testing"

	"stillwatch/collector/internal/packets"
	"stillwatch/collector/internal/sample"
	"stillwatch/internal/testlab/mutate"
)

func TestReadAndDescribe(t *testing.T) {
	e := sample.Evidence(sample.ID(1), "sensor-1")
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	f, err := packets.Read(e.Data)
	if err != nil || len(f.Packets) != 1 || !strings.Contains(f.Comment, e.Alert) {
		t.Fatalf("%+v, %v", f, err)
	}
	p := &f.Packets[0]
	if p.Time != e.Time || p.Link != 1 || p.Length != 54 || len(p.Data) != 54 || !strings.Contains(p.Comment, "packet 7") {
		t.Errorf("%+v", p)
	}
	want := packets.Row{From: "10.20.10.17:49152", To: "198.51.100.23:443", Proto: "TCP", Flags: "SYN"}
	if r := p.Describe(); r != want {
		t.Errorf("%+v, want %+v", r, want)
	}
	for name, x := range map[string]packets.Packet{
		"cut":         {Link: 1, Data: p.Data[:20]},
		"no link":     {Link: 276, Data: p.Data},
		"other link":  {Link: 147, Data: p.Data},
		"no bytes":    {Link: 1},
		"bad header":  {Link: 1, Data: bytes.Repeat([]byte{0xff}, 60)},
		"IPv4 of raw": {Link: 101, Data: p.Data[14:]},
	} {
		if r := x.Describe(); len(r.First) > 48 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestReadRefusesDamage(t *testing.T) {
	good := sample.Evidence(sample.ID(1), "sensor-1").Data
	for at := range 12 { // byte order, lengths and kinds of the first block
		b := bytes.Clone(good)
		b[at] ^= 0x40
		if _, err := packets.Read(b); err == nil {
			t.Errorf("byte %d is wrong, and the file was read", at)
		}
	}
	for n := range good {
		if _, err := packets.Read(good[:n]); err == nil {
			t.Errorf("%d of %d bytes were read", n, len(good))
		}
	}
	if _, err := packets.Read(append(bytes.Clone(good), good...)); err == nil {
		t.Error("two sections were read")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample.Evidence(sample.ID(1), "sensor-1").Data)
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		file, err := packets.Read(b)
		if err != nil {
			return
		}
		for i := range file.Packets {
			file.Packets[i].Describe()
		}
	})
}
