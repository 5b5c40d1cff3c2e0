// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"stillwatch/sensor/internal/packet"
)

// blockSize is that of one block of a ring, in bytes: more than the largest frame. A block that is not full takes as much of the ring as one
// that is, so that with small ones a ring lasts longer when little comes. A batch takes so many of each ring at once, if they are there.
const (
	blockSize   = 128 << 10
	batchBlocks = 2
	leastBlocks = 64 // more than the batches of a pipeline hold at once
)

// vlanTag is the length of a VLAN tag. The interface takes it out of the frame, and it is put back.
const vlanTag = 4

// ring is one socket with its ring of blocks, which the kernel and we write in turn (Documentation/networking/packet_mmap.rst).
type ring struct {
	fd    int
	all   []byte // of all rings, of which this one has blocks from first to before end
	first int
	end   int
	at    int   // the block that comes next
	uses  []int // by block, from first on: how many batches have frames of it, and one more while it is read

	// The block that is read, of which left frames are left; the next of them lies at off and came at time, by our clock.
	reading, left int
	off           uint32
	time          int64
}

// newRing opens a socket that takes no frame yet, with a ring of n blocks from block first on.
func newRing(p *port, all []byte, first, n int) (*ring, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, socketError(err)
	}
	r := &ring{fd: fd, all: all, first: first, end: first + n, at: first, uses: make([]int, n)}
	if err := r.set(p); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func socketError(err error) error {
	switch err {
	case unix.EPERM, unix.EACCES:
		return errors.New("AF_PACKET needs the capability CAP_NET_RAW")
	case unix.EAFNOSUPPORT:
		return errors.New("the kernel has no AF_PACKET (CONFIG_PACKET)")
	}
	return fmt.Errorf("open a socket of AF_PACKET: %w", err)
}

func (r *ring) set(p *port) error {
	for _, o := range []struct {
		name       string
		level, opt int
		value      int
	}{
		{"PACKET_VERSION TPACKET_V3", unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3},
		{"PACKET_RESERVE", unix.SOL_PACKET, unix.PACKET_RESERVE, vlanTag},
		{"PACKET_IGNORE_OUTGOING", unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		// The time at which the kernel took the frame in, by its own clock: that of the interface need not be set.
		{"SO_TIMESTAMPNS", unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1},
		{"PACKET_TIMESTAMP", unix.SOL_PACKET, unix.PACKET_TIMESTAMP, unix.SOF_TIMESTAMPING_SOFTWARE},
	} {
		if err := unix.SetsockoptInt(r.fd, o.level, o.opt, o.value); err != nil {
			return fmt.Errorf("the kernel does not take %s: %w", o.name, err)
		}
	}
	size := (r.end - r.first) * blockSize
	req := unix.TpacketReq3{Block_size: blockSize, Block_nr: uint32(r.end - r.first), Frame_size: 2048, Frame_nr: uint32(size / 2048), Retire_blk_tov: blockPatience}
	if err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return fmt.Errorf("there is no memory for a ring of %d MiB: %w", size>>20, err)
	}
	place := unsafe.Pointer(&r.all[r.first*blockSize])
	if _, err := unix.MmapPtr(r.fd, 0, place, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
		return fmt.Errorf("map the ring: %w", err)
	}
	if err := attach(r.fd, []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}); err != nil {
		return err
	}
	return r.bind(p)
}

// bind listens to a port.
func (r *ring) bind(p *port) error {
	if err := unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: bits.ReverseBytes16(unix.ETH_P_ALL), Ifindex: p.index}); err != nil {
		return fmt.Errorf("listen at %s: %w", p.name, err)
	}
	all := unix.PacketMreq{Ifindex: int32(p.index), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(r.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &all); err != nil {
		return fmt.Errorf("take all frames of %s (promiscuous mode): %w", p.name, err)
	}
	return nil
}

// newGroup is no number of a group of sockets, which begin with 0.
const newGroup = -1

// share makes the socket one of a group that divides the frames by a hash that is the same for both directions of a session, or the first of
// a new one. It gives the number of the group.
func (r *ring) share(group int) (int, error) {
	flags := unix.PACKET_FANOUT_HASH
	if group == newGroup {
		group, flags = 0, flags|unix.PACKET_FANOUT_FLAG_UNIQUEID
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, group|flags<<16); err != nil {
		return 0, fmt.Errorf("the kernel does not divide the frames among several rings (PACKET_FANOUT): %w", err)
	}
	got, err := unix.GetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
	if err != nil {
		return 0, fmt.Errorf("PACKET_FANOUT: %w", err)
	}
	return got & 0xffff, nil
}

// filter lets the frames in: those that a BPF program wants, or the first snap bytes of all, or all.
func (r *ring) filter(program, snap int) error {
	if program > 0 {
		if err := unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, program); err != nil {
			return fmt.Errorf("attach the socket filter (SO_ATTACH_BPF): %w", err)
		}
		return nil
	}
	if snap <= 0 {
		snap = 1<<32 - 1
	}
	return attach(r.fd, []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: uint32(snap)}})
}

// attach puts a classic BPF program in the place of the one before.
func attach(fd int, program []unix.SockFilter) error {
	f := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &f); err != nil {
		return fmt.Errorf("attach a socket filter (SO_ATTACH_FILTER): %w", err)
	}
	return nil
}

// block is a block by its number among those of all rings.
func (r *ring) block(i int) block { return block(r.all[i*blockSize : (i+1)*blockSize]) }

// free reports whether no batch has the block that comes next: else the kernel has come round to it, and waits for it.
func (r *ring) free() bool { return r.uses[r.at-r.first] == 0 }

// load begins to read the block that comes next, if the kernel has handed it over and none is being read.
func (r *ring) load(clock *wallClock) {
	b := r.block(r.at)
	if r.left > 0 || !r.free() || atomic.LoadUint32(b.status())&unix.TP_STATUS_USER == 0 {
		return
	}
	r.reading, r.left, r.off = r.at, int(b.head().Num_pkts), b.head().Offset_to_first_pkt
	r.use(r.reading, 1)
	if r.at++; r.at == r.end {
		r.at = r.first
	}
	if r.left == 0 {
		r.use(r.reading, -1)
		return
	}
	r.time = clock.ofReal(b.frame(r.off).time())
}

// fills reports whether the kernel has frames for the block that comes next, and has not handed them over.
func (r *ring) fills() bool {
	b := r.block(r.at)
	return r.free() && (atomic.LoadUint32(b.status())&unix.TP_STATUS_USER != 0 || atomic.LoadUint32(&b.head().Num_pkts) > 0)
}

// use counts a use of a block, or the end of one. The kernel gets the block back with the last.
func (r *ring) use(block, n int) {
	if r.uses[block-r.first] += n; r.uses[block-r.first] == 0 {
		r.block(block).release()
	}
}

// list lists the frames that are left of the block, up to a time and without those after it, and reports whether there were any.
func (r *ring) list(out *Batch, until int64, link packet.LinkType, clock *wallClock) (some bool) {
	b, base := r.block(r.reading), uint32(r.reading*blockSize)
	for ; r.left > 0 && r.time <= until; some = true {
		h := b.frame(r.off)
		f := Frame{Time: r.time, Off: r.off + uint32(h.Mac), Len: h.Snaplen, OrigLen: h.Len, Link: link}
		if h.Status&unix.TP_STATUS_VLAN_VALID != 0 && f.Len >= 2*macLen && link == packet.LinkEthernet {
			b.restoreTag(&f, h)
		}
		f.Off += base
		out.Frames = append(out.Frames, f)
		r.off += h.Next_offset
		if r.left--; r.left > 0 {
			r.time = clock.ofReal(b.frame(r.off).time())
		}
	}
	return some
}

// counts gives the frames since it was asked last: all, and those for which there was no room.
func (r *ring) counts() (seen, dropped uint64) {
	s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, 0 // the next time it tells all
	}
	return uint64(s.Packets), uint64(s.Drops)
}

func (r *ring) close() error { return unix.Close(r.fd) }

// block is one block of a ring: struct tpacket_block_desc and the frames.
type block []byte

const blockHead = 8 // of version and private offset, before struct tpacket_hdr_v1

func (b block) head() *unix.TpacketHdrV1 { return (*unix.TpacketHdrV1)(unsafe.Pointer(&b[blockHead])) }

func (b block) status() *uint32 { return &b.head().Block_status }

// release gives the block back to the kernel. It has no frames then, as the kernel itself says only when it comes to it.
func (b block) release() {
	atomic.StoreUint32(&b.head().Num_pkts, 0)
	atomic.StoreUint32(b.status(), unix.TP_STATUS_KERNEL)
}

// frame gives the header of a frame. The kernel has written all that is read here.
func (b block) frame(off uint32) *frameHead { return (*frameHead)(unsafe.Pointer(&b[off])) }

type frameHead unix.Tpacket3Hdr

func (h *frameHead) time() int64 { return int64(h.Sec)*nanosPerSec + int64(h.Nsec) }

const macLen = 6

// restoreTag puts the VLAN tag back that the interface has taken out: the addresses move into the room that PACKET_RESERVE has left before
// them.
func (b block) restoreTag(f *Frame, h *frameHead) {
	tpid := uint16(unix.ETH_P_8021Q)
	if h.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
		tpid = h.Hv1.Vlan_tpid
	}
	f.Off -= vlanTag
	f.Len += vlanTag
	f.OrigLen += vlanTag
	frame := b[f.Off : f.Off+f.Len]
	copy(frame[:2*macLen], frame[vlanTag:])
	binary.BigEndian.PutUint16(frame[2*macLen:], tpid)
	binary.BigEndian.PutUint16(frame[2*macLen+2:], uint16(h.Hv1.Vlan_tci))
}
