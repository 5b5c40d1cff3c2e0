// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"syscall"
)

// A bbolt file (version 2 of its format) consists of pages. The first two point to the root of the tree; numbers are in the byte order of the
// machine. The library trusts the file: a page that refers to an ancestor or beyond the end would hang or crash the program. So every
// reachable page is checked before the library opens the file.
const (
	metaMagic   = 0xed0cdaed
	metaVersion = 2
	pageHead    = 16
	metaBytes   = 64
	minPage     = 512
	maxPage     = 64 << 10
	branchFlag  = 0x01
	leafFlag    = 0x02
	bucketFlag  = 0x01 // of an element of a leaf
	maxDepth    = 64
)

// inspect reports whether there is no state yet, or why the file cannot be used.
func inspect(path string) (fresh bool, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, ErrForeign
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // was only read
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false, ErrInUse
	}
	size := info.Size()
	if size == 0 {
		return true, nil
	}
	m, err := readMeta(f, size)
	if err != nil {
		return false, err
	}
	t := &tree{f: f, page: int64(m.page), size: size, end: m.end, seen: map[uint64]bool{0: true, 1: true}}
	_, err = t.visit(m.root, keyRange{}, 0)
	return false, err
}

type meta struct {
	page      uint32
	root, end uint64 // pages
	tx        uint64
}

// readMeta returns the newer of the two meta pages that are intact. The first is at the start of the file, the second after the first page,
// whose size is not known yet.
func readMeta(f io.ReaderAt, size int64) (best meta, err error) {
	known := false
	for page := int64(0); page <= maxPage; page = max(minPage, 2*page) {
		m, magic, whole := parseMeta(f, page)
		known = known || magic
		switch {
		case !whole:
		case page != 0 && best.page == 0 && int64(m.page) != page, best.page != 0 && m.page != best.page, bits.OnesCount32(m.page) != 1:
			return best, ErrDamaged // its page size does not match its offset
		case best.page == 0 || int64(m.page) == page && m.tx > best.tx:
			best = m
		}
	}
	switch {
	case !known:
		return best, ErrForeign
	case best.page < minPage || best.page > maxPage || best.end > uint64(size/int64(best.page)):
		return best, ErrDamaged
	}
	return best, nil
}

// parseMeta reads the meta page at an offset: magic, version, page size, flags, root page, sequence, freelist, end, transaction, sum.
func parseMeta(f io.ReaderAt, at int64) (m meta, magic, whole bool) {
	b := make([]byte, metaBytes)
	if _, err := f.ReadAt(b, at+pageHead); err != nil {
		return m, false, false
	}
	n := binary.NativeEndian
	magic = n.Uint32(b) == metaMagic
	h := fnv.New64a()
	h.Write(b[:metaBytes-8])
	m = meta{page: n.Uint32(b[8:]), root: n.Uint64(b[16:]), end: n.Uint64(b[40:]), tx: n.Uint64(b[48:])}
	return m, magic, magic && n.Uint32(b[4:]) == metaVersion && n.Uint64(b[56:]) == h.Sum64()
}

// tree is walked from its root.
type tree struct {
	f          io.ReaderAt
	page, size int64
	end        uint64
	seen       map[uint64]bool
}

func (t *tree) damaged(id uint64, what string) error {
	return fmt.Errorf("%w (page %d: %s)", ErrDamaged, id, what)
}

// keyRange bounds the keys of a page: from the first on, and before the second; nil is no bound.
type keyRange struct{ from, before []byte }

// visit checks the page with an ID and those below it, and returns the last key.
func (t *tree) visit(id uint64, keys keyRange, depth int) (last []byte, err error) {
	head := make([]byte, pageHead)
	if id >= t.end || depth > maxDepth {
		return nil, t.damaged(id, "it is beyond the end")
	}
	if _, err := t.f.ReadAt(head, int64(id)*t.page); err != nil {
		return nil, t.damaged(id, err.Error())
	}
	more := uint64(binary.NativeEndian.Uint32(head[12:]))
	if binary.NativeEndian.Uint64(head) != id || more >= t.end-id {
		return nil, t.damaged(id, "it contains another page")
	}
	for i := range more + 1 {
		if t.seen[id+i] {
			return nil, t.damaged(id, "it is referred to twice")
		}
		t.seen[id+i] = true
	}
	b := make([]byte, int64(more+1)*t.page)
	if _, err := t.f.ReadAt(b, int64(id)*t.page); err != nil {
		return nil, t.damaged(id, err.Error())
	}
	return t.elements(id, b, keys, depth)
}

// elements checks the elements of a page: keys, values, references to pages, and inline buckets.
func (t *tree) elements(id uint64, b []byte, keys keyRange, depth int) (last []byte, err error) {
	flags, count := binary.NativeEndian.Uint16(b[8:]), int(binary.NativeEndian.Uint16(b[10:]))
	if flags != branchFlag && flags != leafFlag || pageHead+16*count > len(b) || flags == branchFlag && count == 0 {
		return nil, t.damaged(id, "it is not a page of the tree")
	}
	for i := range count {
		e := elementOf(b, i, flags)
		if e == nil {
			return nil, t.damaged(id, "a key or value lies beyond it")
		}
		if i == 0 && bytes.Compare(e.key, keys.from) < 0 || i > 0 && bytes.Compare(e.key, last) <= 0 || keys.before != nil && bytes.Compare(e.key, keys.before) >= 0 {
			return nil, t.damaged(id, "its keys are not in order")
		}
		last = e.key
		switch {
		case flags == branchFlag:
			below := keyRange{e.key, keys.before}
			if i+1 < count {
				next := elementOf(b, i+1, flags)
				if next == nil {
					return nil, t.damaged(id, "a key or value lies beyond it")
				}
				below.before = next.key
			}
			last, err = t.visit(e.page, below, depth+1)
		case e.bucket:
			err = t.bucket(id, e.value, depth)
		}
		if err != nil {
			return nil, err
		}
	}
	return last, nil
}

// element is an element of a page: a key with a child page, or with a value, which may be a bucket.
type element struct {
	key, value []byte
	page       uint64
	bucket     bool
}

// elementOf returns element i of a page, nil if it lies beyond the page. Offsets are relative to the element.
func elementOf(b []byte, i int, flags uint16) *element {
	n := binary.NativeEndian
	at := pageHead + 16*i
	e := b[at:]
	if flags == branchFlag {
		from := int64(at) + int64(n.Uint32(e))
		to := from + int64(n.Uint32(e[4:]))
		if to > int64(len(b)) {
			return nil
		}
		return &element{key: b[from:to], page: n.Uint64(e[8:])}
	}
	from := int64(at) + int64(n.Uint32(e[4:]))
	mid := from + int64(n.Uint32(e[8:]))
	to := mid + int64(n.Uint32(e[12:]))
	if to > int64(len(b)) {
		return nil
	}
	return &element{key: b[from:mid], value: b[mid:to], bucket: n.Uint32(e)&bucketFlag != 0}
}

// bucket checks a bucket: root page and sequence, and an inline page if the root page is 0.
func (t *tree) bucket(id uint64, v []byte, depth int) error {
	if len(v) < 16 || depth >= maxDepth {
		return t.damaged(id, "a bucket is cut short")
	}
	if root := binary.NativeEndian.Uint64(v); root != 0 {
		_, err := t.visit(root, keyRange{}, depth+1)
		return err
	}
	if len(v) < 16+pageHead || binary.NativeEndian.Uint16(v[16+8:]) != leafFlag {
		return t.damaged(id, "a bucket is cut short")
	}
	_, err := t.elements(id, v[16:], keyRange{}, depth+1)
	return err
}
