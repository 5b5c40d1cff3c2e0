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
// that is, so that with small ones a ring lasts longer when little comes. A batch takes so many of them at once, if they are there.
const (
	blockSize   = 128 << 10
	batchBlocks = 2
	leastBlocks = 64 // more than the batches of a pipeline hold at once
)

// vlanTag is the length of a VLAN tag. The interface takes it out of the frame, and it is put back.
const vlanTag = 4

// ring is one socket with its ring of blocks, which the kernel and we write in turn (Documentation/networking/packet_mmap.rst).
type ring struct {
	fd     int
	memory []byte
	blocks int
	at     int    // the block that comes next
	out    []bool // blocks that are in use by a batch
}

// newRing opens a socket that takes no frame yet.
func newRing(p *port, size int) (*ring, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, socketError(err)
	}
	n := max(size/blockSize, leastBlocks)
	r := &ring{fd: fd, blocks: n, out: make([]bool, n)}
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
	req := unix.TpacketReq3{Block_size: blockSize, Block_nr: uint32(r.blocks), Frame_size: 2048, Frame_nr: uint32(r.blocks) * blockSize / 2048, Retire_blk_tov: blockPatience}
	if err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return fmt.Errorf("there is no memory for a ring of %d MiB: %w", r.blocks*blockSize>>20, err)
	}
	var err error
	if r.memory, err = unix.Mmap(r.fd, 0, r.blocks*blockSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("map the ring: %w", err)
	}
	if err := attach(r.fd, []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}); err != nil {
		return err
	}
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

// ready gives the time of the first frame of the next block, by the kernel's clock, if the kernel has handed it over, and not we to a batch.
func (r *ring) ready() (at int64, ok bool) {
	b := r.next()
	if r.out[r.at] || atomic.LoadUint32(b.status())&unix.TP_STATUS_USER == 0 {
		return 0, false
	}
	t := b.head().Ts_first_pkt
	return int64(t.Sec)*nanosPerSec + int64(t.Usec), true // nanoseconds, for all the name says
}

func (r *ring) next() block { return r.block(r.at) }

func (r *ring) block(i int) block { return block(r.memory[i*blockSize : (i+1)*blockSize]) }

// take gives the blocks that are ready, of which the first is known to be, as far as they lie side by side.
func (r *ring) take() taken {
	x := taken{ring: r, from: r.at}
	for x.n < batchBlocks && x.from+x.n < r.blocks {
		if _, ok := r.ready(); !ok {
			break
		}
		r.out[r.at] = true
		x.n++
		r.at = (r.at + 1) % r.blocks
	}
	return x
}

// taken are blocks of a ring, side by side, that a batch consists of.
type taken struct {
	ring    *ring
	from, n int
}

// release gives the blocks back to the kernel.
func (x taken) release() {
	for i := x.from; i < x.from+x.n; i++ {
		x.ring.out[i] = false
		x.ring.block(i).release()
	}
}

// read lists the frames of the blocks.
func (x taken) read(out *Batch, link packet.LinkType, clock *wallClock) {
	out.Data = x.ring.memory[x.from*blockSize : (x.from+x.n)*blockSize]
	for i := range x.n {
		x.ring.block(x.from+i).read(out, uint32(i*blockSize), link, clock)
	}
}

// counts gives the frames since it was asked last: all, and those for which there was no room.
func (r *ring) counts() (seen, dropped uint64) {
	s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, 0 // the next time it tells all
	}
	return uint64(s.Packets), uint64(s.Drops)
}

func (r *ring) close() error {
	var errs []error
	if r.memory != nil {
		errs = append(errs, unix.Munmap(r.memory))
		r.memory = nil
	}
	return errors.Join(append(errs, unix.Close(r.fd))...)
}

// block is one block of a ring: struct tpacket_block_desc and the frames.
type block []byte

const blockHead = 8 // of version and private offset, before struct tpacket_hdr_v1

func (b block) head() *unix.TpacketHdrV1 { return (*unix.TpacketHdrV1)(unsafe.Pointer(&b[blockHead])) }

func (b block) status() *uint32 { return &b.head().Block_status }

// release gives the block back to the kernel.
func (b block) release() { atomic.StoreUint32(b.status(), unix.TP_STATUS_KERNEL) }

// read lists the frames of a block that begins at base of the batch. The kernel has written all that is read here.
func (b block) read(out *Batch, base uint32, link packet.LinkType, clock *wallClock) {
	at := b.head().Offset_to_first_pkt
	for range b.head().Num_pkts {
		h := (*unix.Tpacket3Hdr)(unsafe.Pointer(&b[at]))
		f := Frame{
			Time: clock.ofReal(int64(h.Sec)*nanosPerSec + int64(h.Nsec)), Off: at + uint32(h.Mac), Len: h.Snaplen, OrigLen: h.Len, Link: link,
		}
		if h.Status&unix.TP_STATUS_VLAN_VALID != 0 && f.Len >= 2*macLen && link == packet.LinkEthernet {
			b.restoreTag(&f, h)
		}
		f.Off += base
		out.Frames = append(out.Frames, f)
		at += h.Next_offset
	}
}

const macLen = 6

// restoreTag puts the VLAN tag back that the interface has taken out: the addresses move into the room that PACKET_RESERVE has left before
// them.
func (b block) restoreTag(f *Frame, h *unix.Tpacket3Hdr) {
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
