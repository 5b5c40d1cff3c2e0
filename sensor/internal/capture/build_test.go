// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"stillwatch/internal/testneed"
)

// Numbers of the formats, for writing captures.
const (
	pcapMicro  = 0xa1b2c3d4
	pcapNano   = 0xa1b23c4d
	pcapKuznet = 0xa1b2cd34
	pcapIXIAHW = 0x1c0001ac
	pcapIXIASW = 0x1c0001ab

	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockOldPacket = 2
	blockSimple    = 3
	blockEnhanced  = 6
	byteOrderMagic = 0x1a2b3c4d

	optEnd        = 0
	optFlags      = 2
	optResolution = 9
	optFCS        = 13
	optOffset     = 14
)

// order is a byte order of captures.
type order interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func orders() map[string]order {
	return map[string]order{"little": binary.LittleEndian, "big": binary.BigEndian}
}

// rec is a record of a pcap file.
type rec struct {
	sec, frac    uint32
	caplen, orig uint32
	data         []byte
}

// frameOf is a record of n equal bytes.
func frameOf(sec uint32, n int, fill byte) rec {
	return rec{sec: sec, caplen: uint32(n), orig: uint32(n), data: bytes.Repeat([]byte{fill}, n)}
}

// pcapHead writes the file header.
func pcapHead(o order, magic uint32, major, minor uint16, link uint32) []byte {
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(b, major)
	b = o.AppendUint16(b, minor)
	b = append(b, make([]byte, 8)...)
	b = o.AppendUint32(b, 65535)
	return o.AppendUint32(b, link)
}

// pcapOf writes a capture whose record headers have pad more bytes.
func pcapOf(o order, magic, link uint32, pad int, recs ...rec) []byte {
	b := pcapHead(o, magic, 2, 4, link)
	if magic == pcapIXIAHW || magic == pcapIXIASW {
		b = o.AppendUint32(b, 0)
	}
	for _, r := range recs {
		b = o.AppendUint32(b, r.sec)
		b = o.AppendUint32(b, r.frac)
		b = o.AppendUint32(b, r.caplen)
		b = o.AppendUint32(b, r.orig)
		b = append(b, make([]byte, pad)...)
		b = append(b, r.data...)
	}
	return b
}

// plain is a little-endian capture of Ethernet frames.
func plain(recs ...rec) []byte { return pcapOf(binary.LittleEndian, pcapMicro, 1, 0, recs...) }

// ng writes pcapng blocks.
type ng struct {
	order
	b []byte
}

func (n *ng) block(kind uint32, body ...[]byte) *ng {
	all := bytes.Join(body, nil)
	for len(all)%4 != 0 {
		all = append(all, 0)
	}
	total := uint32(12 + len(all))
	n.b = n.AppendUint32(n.b, kind)
	n.b = n.AppendUint32(n.b, total)
	n.b = append(n.b, all...)
	n.b = n.AppendUint32(n.b, total)
	return n
}

func (n *ng) u16(v ...uint16) (b []byte) {
	for _, x := range v {
		b = n.AppendUint16(b, x)
	}
	return b
}

func (n *ng) u32(v ...uint32) (b []byte) {
	for _, x := range v {
		b = n.AppendUint32(b, x)
	}
	return b
}

func (n *ng) section() *ng {
	return n.block(blockSection, n.u32(byteOrderMagic), n.u16(1, 0), n.u32(0xffffffff, 0xffffffff))
}

func (n *ng) iface(link uint16, snap uint32, options ...[]byte) *ng {
	return n.block(blockInterface, n.u16(link, 0), n.u32(snap), bytes.Join(options, nil))
}

func (n *ng) option(code uint16, value []byte) []byte {
	b := append(n.u16(code, uint16(len(value))), value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (n *ng) enhanced(id uint32, stamp uint64, data []byte, options ...[]byte) *ng {
	pad := make([]byte, -len(data)&3)
	size := uint32(len(data))
	return n.block(blockEnhanced, n.u32(id, uint32(stamp>>32), uint32(stamp), size, size), data, pad, bytes.Join(options, nil))
}

// put writes a capture to a temporary file.
func put(t testing.TB, data []byte) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "capture-*")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Clean(f.Name())
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t testing.TB, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

func lz4ed(t testing.TB, data []byte, options ...lz4.Option) []byte {
	t.Helper()
	var b bytes.Buffer
	w := lz4.NewWriter(&b)
	if err := w.Apply(options...); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// compressed compresses data with a tool, for formats that the libraries only read.
func compressed(t testing.TB, tool string, data []byte) []byte {
	t.Helper()
	return piped(t, testneed.Command(t, tool), data)
}

func piped(t testing.TB, path string, data []byte) []byte {
	t.Helper()
	cmd := exec.Command(path, "-c")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// snoopOf is a snoop capture of Ethernet frames, padded to multiples of four bytes.
func snoopOf(recs ...rec) []byte {
	o := binary.BigEndian
	b := append([]byte("snoop\x00\x00\x00"), 0, 0, 0, 2, 0, 0, 0, 4)
	for _, r := range recs {
		pad := -len(r.data) & 3
		for _, v := range []uint32{r.orig, r.caplen, uint32(24 + len(r.data) + pad), 0, r.sec, r.frac} {
			b = o.AppendUint32(b, v)
		}
		b = append(append(b, r.data...), make([]byte, pad)...)
	}
	return b
}
