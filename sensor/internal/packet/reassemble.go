// SPDX-License-Identifier: Apache-2.0

package packet

// ReassemblerConfig bounds a Reassembler; a field that is 0 has the default.
type ReassemblerConfig struct {
	MaxDatagrams int   // at the same time; 4096
	MaxBytes     int   // of fragments kept, in blocks of 2 KiB; 16 MiB
	MaxFragments int   // of one datagram; 256
	Timeout      int64 // nanoseconds of capture time from the first arrival; 30 s
}

// FragDrop says why a datagram will not be put together.
type FragDrop uint8

// The reasons.
const (
	FragDropOverlap   FragDrop = iota // IPv6 fragments overlap (RFC 5722)
	FragDropTooLong                   // beyond 65535 bytes
	FragDropMalformed                 // empty, or a piece that is no multiple of 8 bytes but not the last
	FragDropConflict                  // bytes beyond the end, or two ends
	FragDropCount                     // more fragments than MaxFragments
	FragDropCut                       // the snap length cut a fragment, or its length is a lie
	// NumFragDrops is the number of reasons.
	NumFragDrops = int(iota)
)

var fragDropNames = [NumFragDrops]string{"overlap", "too_long", "malformed", "conflict", "count", "cut"}

// String gives the stable name, which is also the metric label.
func (d FragDrop) String() string {
	if int(d) < NumFragDrops {
		return fragDropNames[d]
	}
	return "unknown"
}

// ReassemblyStats counts since the start. Fragments = those passed on + Held frames, and Lost of the held ones were
// never accounted for because their first fragment or, in a tunnel, their completion never came.
type ReassemblyStats struct {
	Fragments, Held, Lost uint64 // frames
	Started, Completed    uint64 // datagrams
	Expired, Evicted      uint64 // datagrams given up: by time, for space
	Overlaps, Duplicates  uint64 // fragments
	Dropped               [NumFragDrops]uint64
}

// quiet is how long a completed datagram is remembered: mirror ports duplicate, and a duplicate must not begin a new
// datagram. It is short because the 16-bit identification of IPv4 wraps within seconds (RFC 4963).
const quiet = 2e9

// maxReassembly bounds fragments within fragments (a fragmented tunnel that carries fragments).
const maxReassembly = 3

// Reassembler puts IP datagrams together. It is used by one goroutine, in the order of the packets.
//
// Where fragments overlap, in IPv4 the bytes that arrived first win; in IPv6 the datagram is dropped (RFC 5722) unless
// what overlaps is identical. A datagram with contradicting ends is dropped. Dropped datagrams are still accounted for.
type Reassembler struct {
	cfg    ReassemblerConfig
	table  fragTable
	store  blockStore
	arena  *Arena
	own    Arena
	counts ReassemblyStats
}

// NewReassembler makes one that is empty; memory is taken as it is needed, up to the bounds.
func NewReassembler(cfg ReassemblerConfig) *Reassembler {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&cfg.MaxDatagrams, 4096)
	def(&cfg.MaxBytes, 16<<20)
	def(&cfg.MaxFragments, 256)
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30e9
	}
	r := &Reassembler{cfg: cfg, table: newFragTable(cfg.MaxDatagrams)}
	r.store = blockStore{max: int32(max(cfg.MaxBytes/blockSize, blocksPerDatagram)), free: -1}
	r.arena = &r.own
	return r
}

// Use makes Add put the payloads of datagrams that become whole into a, which the caller resets when the packets are
// released. Without it they are valid until MaxBytes more have become whole.
func (r *Reassembler) Use(a *Arena) { r.arena = a }

// Stats gives the counts since the start.
func (r *Reassembler) Stats() ReassemblyStats { return r.counts }

// Len gives the number of datagrams that are kept track of.
func (r *Reassembler) Len() int { return r.table.count }

// Add takes a fragment: p as Decode left it, with Frag FragFirst or FragLater. It reports whether p is to be passed on;
// if not, it is held, and accounted for by a later packet (Count, IPBytes, PayloadLen). A packet that makes a datagram
// whole becomes FragComplete; if the datagram is a tunnel, p becomes what is within, with Count the frames it took.
func (r *Reassembler) Add(p *Packet) bool { return r.add(p, 0) }

func (r *Reassembler) add(p *Packet, level int) bool {
	if level == 0 {
		r.counts.Fragments++
	}
	r.expire(p.Time)
	i := r.find(p)
	d := &r.table.pool[i]
	if p.Frag == FragFirst && !d.first {
		d.learn(p)
	}
	if d.state == collecting {
		r.collect(i, p)
	}
	if d.state == collecting && d.total >= 0 && d.units == (d.total+7)/8 && d.first {
		return r.complete(d, p, level)
	}
	if !d.first || d.hold {
		d.keep(p)
		r.counts.Held++
		return false
	}
	d.pass(p)
	return true
}

// find gives the datagram that p is of, a new one if there is none or the old one is long done.
func (r *Reassembler) find(p *Packet) int32 {
	k := keyOf(p)
	s := r.table.slot(&k)
	if i := r.table.slots[s]; i >= 0 {
		d := &r.table.pool[i]
		if d.state != finished || p.Time-d.ended <= quiet {
			return i
		}
		r.forget(i)
		s = r.table.slot(&k)
	}
	if r.table.count == r.table.max {
		r.evict(r.table.oldest)
		s = r.table.slot(&k)
	}
	r.counts.Started++
	return r.table.insert(s, k, p.Time)
}

// expire gives up what is too old. The list is by arrival, so it stops at the first that is not.
func (r *Reassembler) expire(now int64) {
	for i := r.table.oldest; i >= 0 && now-r.table.pool[i].began > r.cfg.Timeout; i = r.table.oldest {
		if r.table.pool[i].state != finished {
			r.counts.Expired++
		}
		r.forget(i)
	}
}

func (r *Reassembler) evict(i int32) {
	if r.table.pool[i].state != finished {
		r.counts.Evicted++
	}
	r.forget(i)
}

func (r *Reassembler) forget(i int32) {
	d := &r.table.pool[i]
	r.counts.Lost += uint64(d.held)
	r.freeBlocks(d)
	r.table.remove(i)
}

func (r *Reassembler) freeBlocks(d *datagram) {
	for j, b := range d.blocks {
		if b >= 0 {
			r.store.give(b)
			d.blocks[j] = -1
		}
	}
}

// drop gives up putting d together; its fragments are passed on as they come.
func (r *Reassembler) drop(d *datagram, why FragDrop) {
	r.counts.Dropped[why]++
	r.freeBlocks(d)
	d.state, d.hold = broken, false
}

// complete makes p, the last fragment to arrive, the whole datagram.
func (r *Reassembler) complete(d *datagram, p *Packet, level int) bool {
	r.counts.Completed++
	whole := r.assemble(d)
	r.freeBlocks(d)
	d.state, d.ended = finished, p.Time
	d.pass(p)
	bytes := p.PayloadLen
	p.Body, p.Frag = nil, FragNone
	tunnels := p.NumTunnels
	p.Verdict = transportOf(p, d.next, whole, level)
	d.hold = d.hold && p.NumTunnels != tunnels // duplicates of a tunnel that was taken off stay held
	if p.Frag != FragNone {                    // a fragment within
		return level == maxReassembly || r.add(p, level+1)
	}
	if p.NumTunnels == tunnels {
		p.Frag, p.PayloadLen, p.Body = FragComplete, bytes, nil
	}
	return true
}

// assemble copies a whole datagram together.
func (r *Reassembler) assemble(d *datagram) []byte {
	if r.arena == &r.own && r.own.total > r.cfg.MaxBytes {
		r.own.Reset()
	}
	out := r.arena.take(int(d.total))
	for at := 0; at < len(out); at += blockSize {
		copy(out[at:], r.store.at(d.blocks[at/blockSize]).data[:])
	}
	return out
}

// transportOf reads a reassembled datagram from its first header on, with tunnels.
func transportOf(p *Packet, next uint8, b []byte, depth int) Verdict {
	if p.V6 {
		return extensions(p, next, b, len(b), depth, true)
	}
	return transport(p, next, b, len(b), depth)
}
