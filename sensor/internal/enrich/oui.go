// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"slices"
	"unicode/utf8"

	"stillwatch/sensor/internal/datafile"
)

//go:embed oui.zst
var ouiTable []byte

// blockBits is the prefix lengths of the IEEE address blocks: MA-L, MA-M, MA-S.
var blockBits = [3]uint{24, 28, 36}

// ouiBlocks is one kind of address block: prefixes in ascending order, and the index of the owner of each.
type ouiBlocks struct {
	prefixes []uint64
	owners   []uint32
}

// OUI is the table of IEEE address blocks.
type OUI struct {
	Head   datafile.Head
	names  []string
	blocks [3]ouiBlocks
}

// Rows returns the number of address blocks.
func (x *OUI) Rows() int {
	return len(x.blocks[0].prefixes) + len(x.blocks[1].prefixes) + len(x.blocks[2].prefixes)
}

// Blocks holds the table in use. The embedded one is unpacked at the first lookup (2 MB, a few milliseconds). The tests of this package find
// a damaged table.
var Blocks = datafile.NewSlot(func() *OUI {
	x, err := ParseOUI(ouiTable)
	if err != nil {
		return &OUI{}
	}
	return x
})

// Owner returns the full name of the owner of the smallest address block with mac; "" if there is none, or if mac is a group or locally
// administered address.
func Owner(mac [6]byte) string {
	if mac[0]&3 != 0 {
		return ""
	}
	x := Blocks.Get()
	v := uint64(mac[0])<<40 | uint64(mac[1])<<32 | uint64(mac[2])<<24 | uint64(mac[3])<<16 | uint64(mac[4])<<8 | uint64(mac[5])
	for i := len(blockBits) - 1; i >= 0; i-- {
		if at, ok := slices.BinarySearch(x.blocks[i].prefixes, v>>(48-blockBits[i])); ok {
			return x.names[x.blocks[i].owners[at]]
		}
	}
	return ""
}

// EmbeddedOUI returns the file of address blocks that is part of the program.
func EmbeddedOUI() []byte { return ouiTable }

// ParseOUI reads the file that scripts/assets/oui writes.
func ParseOUI(packed []byte) (*OUI, error) {
	raw, err := datafile.Unpack(packed)
	if err != nil {
		return nil, err
	}
	head, rest, err := datafile.ParseHead(raw)
	if err != nil {
		return nil, err
	}
	x, err := parseOUI(rest)
	if err != nil {
		return nil, err
	}
	x.Head = head
	return x, nil
}

var errOUI = errors.New("no table of address blocks, or a truncated one")

func parseOUI(raw []byte) (*OUI, error) {
	x := &OUI{}
	p := reader{b: raw}
	x.names = make([]string, p.count())
	for i := range x.names {
		if x.names[i] = p.text(); !utf8.ValidString(x.names[i]) {
			return nil, errOUI
		}
	}
	for i := range x.blocks {
		x.blocks[i] = p.blocks(uint64(len(x.names)))
	}
	if p.bad || len(p.b) != 0 {
		return nil, errOUI
	}
	return x, nil
}

type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of items, each of which needs at least one of the remaining bytes.
func (r *reader) count() uint64 {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return 0
	}
	return n
}

func (r *reader) text() string {
	n := r.count()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) blocks(names uint64) (b ouiBlocks) {
	n := r.count()
	b.prefixes, b.owners = make([]uint64, n), make([]uint32, n)
	last := uint64(0)
	for i := range b.prefixes {
		last += r.uvarint()
		owner := r.uvarint()
		if owner >= names {
			r.bad = true
			return ouiBlocks{}
		}
		b.prefixes[i], b.owners[i] = last, uint32(owner)
	}
	return b
}
