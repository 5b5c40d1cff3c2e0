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

const (
	// blockSize is the size of a block of a ring in bytes: more than the largest frame. A block that is not full uses as much of the ring as
	// a full one, so small blocks make a ring last longer under low traffic.
	blockSize   = 128 << 10
	batchBlocks = 2  // the most blocks of one ring in a batch
	leastBlocks = 64 // more than the batches of a pipeline hold
)

// vlanTag is the length of a VLAN tag. The kernel removes it from the frame, and restoreTag puts it back.
const vlanTag = 4

// ring is one socket with its ring of blocks, which it shares with the kernel (Documentation/networking/packet_mmap.rst).
type ring struct {
	fd    int
	all   []byte // memory of all rings; this one has the blocks [first, end)
	first int
	end   int
	at    int   // next block
	uses  []int // by block, from first on: number of batches with frames of it, plus one while it is read

	// The block that is read, with left more frames. The next one is at off and has the time time, by our clock.
	reading, left int
	off           uint32
	time          int64
}

// newRing opens a socket with a ring of n blocks from block first on. It receives no frames before filter.
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
		// Time stamps of the kernel: the clock of the interface may not be set.
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

// bind binds the socket to a port.
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

// newGroup asks share for a new group. Group numbers start at 0.
const newGroup = -1

// share adds the socket to a group, or to a new one, that distributes frames by a hash that is the same for both directions of a session. It
// returns the number of the group.
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

// filter starts to receive frames: those that a BPF program selects, the first snap bytes of all, or all.
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

// attach replaces the classic BPF program of a socket.
func attach(fd int, program []unix.SockFilter) error {
	f := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &f); err != nil {
		return fmt.Errorf("attach a socket filter (SO_ATTACH_FILTER): %w", err)
	}
	return nil
}

// block returns a block by its number among those of all rings.
func (r *ring) block(i int) block { return block(r.all[i*blockSize : (i+1)*blockSize]) }

// free reports whether no batch has frames of the next block. If one has, the ring has wrapped around and the kernel waits for the block.
func (r *ring) free() bool { return r.uses[r.at-r.first] == 0 }

// load starts to read the next block, if the kernel has released it and no block is being read.
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

// fills reports whether the next block has frames, which the kernel may not have released yet.
func (r *ring) fills() bool {
	b := r.block(r.at)
	return r.free() && (atomic.LoadUint32(b.status())&unix.TP_STATUS_USER != 0 || atomic.LoadUint32(&b.head().Num_pkts) > 0)
}

// use adds n to the uses of a block. At zero the block goes back to the kernel.
func (r *ring) use(block, n int) {
	if r.uses[block-r.first] += n; r.uses[block-r.first] == 0 {
		r.block(block).release()
	}
}

// list appends the remaining frames of the block up to a time, and reports whether there were any.
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

// counts returns the number of frames since the last call: all, and those dropped because the ring was full.
func (r *ring) counts() (seen, dropped uint64) {
	s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, 0 // the next call returns them
	}
	return uint64(s.Packets), uint64(s.Drops)
}

func (r *ring) close() error { return unix.Close(r.fd) }

// block is one block of a ring: struct tpacket_block_desc and the frames.
type block []byte

const blockHead = 8 // of version and private offset, before struct tpacket_hdr_v1

func (b block) head() *unix.TpacketHdrV1 { return (*unix.TpacketHdrV1)(unsafe.Pointer(&b[blockHead])) }

func (b block) status() *uint32 { return &b.head().Block_status }

// release returns the block to the kernel. It sets the number of frames to 0, which the kernel does only when it next opens the block.
func (b block) release() {
	atomic.StoreUint32(&b.head().Num_pkts, 0)
	atomic.StoreUint32(b.status(), unix.TP_STATUS_KERNEL)
}

// frame returns the header of a frame, which the kernel has written.
func (b block) frame(off uint32) *frameHead { return (*frameHead)(unsafe.Pointer(&b[off])) }

type frameHead unix.Tpacket3Hdr

func (h *frameHead) time() int64 { return int64(h.Sec)*1e9 + int64(h.Nsec) }

const macLen = 6

// restoreTag puts a VLAN tag back that the kernel removed. The addresses move into the space that PACKET_RESERVE left before them.
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
