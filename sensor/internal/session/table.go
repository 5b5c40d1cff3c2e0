// SPDX-License-Identifier: Apache-2.0

package session

import (
	"unsafe"

	"stillwatch/sensor/internal/cacheline"
	"stillwatch/sensor/internal/packet"
)

// IP protocol numbers.
const (
	protoICMP  = 1
	protoTCP   = 6
	protoUDP   = 17
	protoICMP6 = 58
	protoSCTP  = 132
)

// Config has the limits of one Table. Times are whole seconds of the capture clock, at most 3600.
type Config struct {
	MaxSessions  int // sessions kept at once
	MaxPast      int // ended TCP sessions whose initiator is kept; rounded up to a power of two
	MaxHeads     int // sessions whose stream heads are being read at once
	MaxHeadBytes int // bytes buffered for them
	HeadLimit    int // bytes of one direction that are read at most

	AttemptedTimeout   int64  // TCP without an answer; longer than the longest pause between SYN retransmissions
	EstablishedTimeout int64  // TCP, answered
	ClosedTimeout      int64  // TCP after both FINs or a RST: stragglers still belong to it
	DatagramTimeout    int64  // UDP and SCTP with an answer
	ShortTimeout       int64  // everything else
	ProgressKiB        uint32 // payload after which the progress of a live session is reported; see progress

	FollowKiB   uint32 // payload after which a session may be followed, less than ProgressKiB
	FollowAge   int64  // seconds after that until it is
	MaxFollowed int    // sessions followed at once; 0: none is

	// Inside reports whether an address is of the watched network. It is called from the goroutine of the table, once for each end of a
	// session that carries much. nil: no address is.
	Inside func(packet.Addr) bool

	Slab *Slab // memory for sessions; nil: the table has its own
}

// DefaultConfig returns the limits of one of 16 partitions: a million sessions in all.
func DefaultConfig() Config {
	return Config{
		MaxSessions: 1 << 16, MaxPast: 1 << 14, MaxHeads: 1 << 10, MaxHeadBytes: 2 << 20, HeadLimit: 16 << 10,
		AttemptedTimeout: 70, EstablishedTimeout: 3600, ClosedTimeout: 15, DatagramTimeout: 180, ShortTimeout: 60,
		ProgressKiB: 256, FollowKiB: 2, FollowAge: 30, MaxFollowed: 256,
	}
}

// EndReason is why a session ended.
type EndReason uint8

// The reasons.
const (
	EndExpired EndReason = iota // no packet for its timeout
	EndEvicted                  // the table was full
	EndReused                   // a new session has its five-tuple
	EndRun                      // the run is over
)

// Handler receives the events of a table, at event rate and not for each packet. now is the capture clock in nanoseconds.
type Handler interface {
	// Opened is called for each session at its first packet, and again when a packet proves that the initiator opened it (View.Opened) or
	// that the other end did.
	Opened(s *Session, now int64)
	Changed(s *Session, now int64)
	Progress(s *Session, now int64)
	// Active is given what a followed session has carried. The table reuses a.
	Active(s *Session, bins []Bin, now int64)
	Ended(s *Session, why EndReason, now int64)

	// Stream is given the head of one direction of a TCP session, from its start, and says how many bytes from the start it wants to
	// have before it is called again: 0 for no more. With final nothing follows in that direction. head must not be kept.
	Stream(s *Session, d Dir, head []byte, final bool, now int64) (want int)
	// Datagram is given a UDP payload and says whether it wants more of them.
	Datagram(s *Session, d Dir, data []byte, now int64) (more bool)
	// Echo is given an echo message of ICMP with a payload. The first one of a session is one that no ping program sends.
	Echo(s *Session, d Dir, p *packet.Packet, now int64)
	// Release says that nothing more of the session will be read.
	Release(s *Session)
	// Soon says that Stream and Release will soon be called for a session that was idle, so that the handler can prefetch its state. It is
	// called for each such session with the steps SoonSteps-1 to 0: in each step, what was prefetched in the one before has arrived.
	Soon(s *Session, step int)
}

// SoonSteps is the number of steps of Handler.Soon.
const SoonSteps = 3

// Stats counts what a table did.
type Stats struct {
	Created, Expired, Evicted, Reused uint64
	HeadsEvicted                      uint64 // heads given up because too many were being read
	HeadsCut                          uint64 // heads given up because their buffers were full
	HeadGaps                          uint64 // heads that ended at a gap
	SegmentsDropped                   uint64 // out-of-order segments beyond the window
	VLANStacksLost                    uint64 // sessions whose VLAN tags are not kept, because there were too many different stacks
	TCPEnded, TCPOneWay               uint64 // TCP sessions ended, and those of which one direction was never seen though it must exist
	AckedBytes, GapBytes              uint64 // bytes acknowledged, and those of them that were never seen
	OpeningsDropped                   uint64 // SYNs and SYN-ACKs that waited for the other end and gave way to others
	LateSegments                      uint64 // segments of ended sessions on five-tuples that a new session has; they count for neither
	PastDropped                       uint64 // ended sessions forgotten because there were too many
	FollowEvicted                     uint64 // sessions followed no longer, or never, because there were too many
	Duplicates                        uint64 // packets that were captured more than once, and counted once
	TCPPackets, TCPDuplicates         uint64 // TCP packets as captured, and those of them that are such duplicates
}

// ref names a session of a table; 0 is none.
type ref uint32

// Table keeps the sessions of one partition. It is not safe for concurrent use.
type Table struct {
	cfg     Config
	h       Handler
	seed    secret
	slab    *Slab
	chunks  [][]Session // slices, because to index a pointer to an array is to touch its first line
	free    ref
	used    ref // number of sessions ever carved out of the chunks
	slots   []slot
	live    int // sessions in the index
	wheel   wheel
	heads   heads
	stacks  vlanStacks
	extras  extras
	grown   []ref // sessions whose progress is to be reported
	follow  follower
	leaving []ref // what Flush has still to end
	intern  map[tunnelKey][]packet.Tunnel
	past    past
	pending []pendingOpening

	oldestPending int // of pending, once it is full
	copies        *copies
	Stats         Stats
}

// slot is one slot of the open-addressing hash index.
type slot struct {
	tag uint32 // upper half of the hash of the key; its low bits select the slot
	r   ref
}

// New returns an empty table that reports to h.
func New(cfg Config, h Handler) *Table {
	t := &Table{cfg: cfg, h: h, seed: newSecret(), slab: cfg.Slab, slots: make([]slot, 1<<8), used: 1, heads: newHeads(cfg), past: newPast(cfg), follow: newFollower(), copies: new(copies)}
	if t.slab == nil {
		t.slab = new(Slab)
	}
	t.chunks = append(t.chunks, t.slab.chunk())
	return t
}

// Live returns the number of live sessions.
func (t *Table) Live() int { return t.live }

func (t *Table) at(r ref) *Session { return &t.chunks[r>>chunkBits][r&(chunkSize-1)] }

// Lookup is the position of the session of a packet in a table.
type Lookup struct {
	key  key
	hash uint64
	r    ref // probable session, 0 if there is none
	side uint8
}

// Prepare fills l for p and prefetches its slot of the index. Call Reach and then AddPrepared, each with enough other work in between for
// the prefetch to finish.
func (t *Table) Prepare(p *packet.Packet, l *Lookup) {
	l.side = l.key.of(p)
	l.hash = l.key.hash(&t.seed)
	cacheline.Prefetch(unsafe.Pointer(&t.slots[int(l.hash>>32)&(len(t.slots)-1)]), 1)
}

// Reach prefetches the probable session: the first slot with its tag.
func (t *Table) Reach(l *Lookup) {
	mask, tag := len(t.slots)-1, uint32(l.hash>>32)
	l.r = 0
	for i := int(tag) & mask; t.slots[i].r != 0; i = (i + 1) & mask {
		if x := &t.slots[i]; x.tag == tag {
			l.r = x.r
			cacheline.Prefetch(unsafe.Pointer(t.at(x.r)), sessionLines)
			return
		}
	}
	t.past.prefetch(l.hash) // the session is new
}

// Add counts a packet that has an IP header. Packets must come in the order of the capture.
func (t *Table) Add(p *packet.Packet) {
	var l Lookup
	t.Prepare(p, &l)
	t.Reach(&l)
	t.AddPrepared(p, &l)
}

// AddPrepared is Add after Prepare and Reach. It reports whether p was counted: a duplicate is not.
func (t *Table) AddPrepared(p *packet.Packet, l *Lookup) bool {
	side := l.side
	now := t.clock(p.Time)
	r, s := t.session(l)
	if done := s.flags&flagDone == flagDone; t.suspect(p, done) && t.copied(p, l, r, s, done) {
		t.duplicate(r, s, p, side)
		return false
	}
	if r != 0 && p.TCPFlags&(packet.SYN|packet.RST) == packet.SYN && p.Kind == packet.KindTCP {
		var counted bool
		if r, counted = t.open(r, p, l, now); counted {
			return true
		}
		s = t.at(r)
	} else if q := t.acknowledgedOpening(r, s, p, side); q != nil {
		r = t.split(l, s, q, now)
		s = t.at(r)
	} else if r != 0 && p.Kind == packet.KindTCP && s.foreign(p, side) {
		switch t.whose(s, p, l) {
		case ofEnded:
			t.Stats.TCPPackets++
			t.Stats.LateSegments++
			return true
		case ofContinued:
			t.retire(l, s, now)
			r = 0
		}
	}
	if r == 0 {
		r, s = t.begin(p, l, now)
	} else {
		t.update(s, p, side)
	}
	t.advanceState(s, p, side, now)
	if s.flags&flagDone != flagDone {
		t.readPacket(r, s, p, side, now)
	}
	if s.flags&flagReported == 0 && s.started() {
		t.notify(s, now)
	}
	if s.flags&flagFollowed != 0 && p.PayloadLen > 0 {
		t.active(s, p.PayloadLen, side, now)
	}
	if s.kib() >= uint64(s.reportAt) {
		t.grew(r, s)
	}
	return true
}

// begin starts the session of p.
func (t *Table) begin(p *packet.Packet, l *Lookup, now int64) (ref, *Session) {
	r, s := t.create(p, l)
	t.update(s, p, l.side)
	t.notify(s, now)
	return r, s
}

// notify reports a session to the handler: when it starts, and again when its initiator becomes known or changes.
func (t *Table) notify(s *Session, now int64) {
	if s.started() {
		s.flags |= flagReported
	}
	t.h.Opened(s, now)
}

// session returns the session of l, 0 if there is none. The session that Reach found may have ended since, or its place may be reused.
func (t *Table) session(l *Lookup) (ref, *Session) {
	if s := t.at(l.r); s.key.equal(&l.key) && s.flags&flagDead == 0 && l.r != 0 {
		return l.r, s
	}
	_, r := t.find(&l.key, l.hash)
	return r, t.at(r)
}

// clock returns the time of an event at a packet, limited to the current second of the table: a frame with a wrong timestamp must not move
// the clock.
func (t *Table) clock(at int64) int64 {
	return min(max(at, t.wheel.now*1e9), t.wheel.now*1e9+1e9-1)
}

// find returns the index slot of k and its session, or the empty slot where k belongs and 0.
func (t *Table) find(k *key, h uint64) (int, ref) {
	mask := len(t.slots) - 1
	tag := uint32(h >> 32)
	for i := int(tag) & mask; ; i = (i + 1) & mask {
		x := &t.slots[i]
		if x.r == 0 {
			return i, 0
		}
		if x.tag == tag && t.at(x.r).key.equal(k) {
			return i, x.r
		}
	}
}

func (t *Table) create(p *packet.Packet, l *Lookup) (ref, *Session) {
	if t.wheel.count >= t.cfg.MaxSessions {
		t.evict(t.clock(p.Time))
	}
	if 4*t.live >= 3*len(t.slots) {
		t.grow()
	}
	r := t.free
	if r != 0 {
		t.free = t.at(r).next
	} else {
		r = t.used
		t.used++
		if int(r>>chunkBits) == len(t.chunks) {
			t.chunks = append(t.chunks, t.slab.chunk())
		}
	}
	s := t.at(r)
	*s = Session{key: l.key}
	i, _ := t.find(&l.key, l.hash)
	t.slots[i] = slot{uint32(l.hash >> 32), r}
	t.live++
	t.Stats.Created++
	t.first(s, p, l)
	t.schedule(r, s.deadline(&t.cfg))
	return r, s
}

func (t *Table) grow() {
	old := t.slots
	t.slots = make([]slot, 2*len(old))
	cacheline.Touch(t.slots)
	mask := len(t.slots) - 1
	for _, x := range old {
		if x.r == 0 {
			continue
		}
		i := int(x.tag) & mask
		for t.slots[i].r != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = x
	}
}

// remove deletes slot i from the index (backward-shift deletion).
func (t *Table) remove(i int) {
	mask := len(t.slots) - 1
	for j := (i + 1) & mask; t.slots[j].r != 0; j = (j + 1) & mask {
		home := int(t.slots[j].tag) & mask
		if (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = slot{}
	t.live--
}

// retire ends a session early; its memory is released when its timer-wheel slot is due.
func (t *Table) retire(l *Lookup, s *Session, now int64) {
	t.conclude(s, EndReused, now)
	i, _ := t.find(&l.key, l.hash)
	t.remove(i)
	s.flags |= flagDead
}

// end ends a session that was removed from the timer wheel.
func (t *Table) end(s *Session, why EndReason, now int64) {
	if why == EndExpired {
		t.Stats.Expired++
	}
	h := s.key.hash(&t.seed)
	t.past.prefetch(h)
	t.conclude(s, why, now)
	i, _ := t.find(&s.key, h)
	t.remove(i)
	if why == EndExpired || why == EndEvicted {
		t.recordPast(s, h, why)
	}
}

func (t *Table) conclude(s *Session, why EndReason, now int64) {
	t.finishHead(s, now)
	t.unfollow(s, now)
	s.turnUnsolicited()
	if s.key.proto() == protoTCP {
		t.Stats.TCPEnded++
		if s.oneWay() {
			t.Stats.TCPOneWay++
		}
	}
	t.h.Ended(s, why, now)
}

func (t *Table) release(r ref) {
	s := t.at(r)
	t.freeExtra(s)
	if len(t.copies.of) > 0 {
		delete(t.copies.of, s.id)
	}
	*s = Session{next: t.free}
	t.free = r
}

// Flush ends at most n of the remaining sessions, oldest first, and reports whether there are more. Do not add packets to a table that is
// being flushed.
func (t *Table) Flush(n int, now int64) (more bool) {
	if t.leaving == nil {
		t.leaving = t.liveRefs()
	}
	n = min(n, len(t.leaving))
	for _, r := range t.leaving[:n] {
		s := t.at(r)
		t.end(s, EndRun, now)
		s.flags |= flagDead
	}
	t.leaving = t.leaving[n:]
	return len(t.leaving) > 0
}

// Add adds the counts of x to s.
func (s *Stats) Add(x *Stats) {
	s.Created += x.Created
	s.Expired += x.Expired
	s.Evicted += x.Evicted
	s.Reused += x.Reused
	s.HeadsEvicted += x.HeadsEvicted
	s.HeadsCut += x.HeadsCut
	s.HeadGaps += x.HeadGaps
	s.SegmentsDropped += x.SegmentsDropped
	s.VLANStacksLost += x.VLANStacksLost
	s.TCPEnded += x.TCPEnded
	s.TCPOneWay += x.TCPOneWay
	s.AckedBytes += x.AckedBytes
	s.GapBytes += x.GapBytes
	s.TCPPackets += x.TCPPackets
	s.Duplicates += x.Duplicates
	s.TCPDuplicates += x.TCPDuplicates
	s.OpeningsDropped += x.OpeningsDropped
	s.LateSegments += x.LateSegments
	s.PastDropped += x.PastDropped
	s.FollowEvicted += x.FollowEvicted
}
