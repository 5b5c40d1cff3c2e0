// SPDX-License-Identifier: Apache-2.0

package packet

// ReassemblerConfig bounds a Reassembler. A field that is 0 means the default, which its comment names.
type ReassemblerConfig struct {
	MaxDatagrams int   // at the same time; 4096
	MaxBytes     int   // of stored fragments, in blocks of 2 KiB; 16 MiB
	MaxFragments int   // of one datagram; 256
	Timeout      int64 // nanoseconds of capture time from the first arrival; 30 s
}

// FragDrop is why a datagram is not reassembled.
type FragDrop uint8

// The reasons.
const (
	FragDropOverlap   FragDrop = iota // IPv6 fragments overlap (RFC 5722)
	FragDropTooLong                   // beyond 65535 bytes
	FragDropMalformed                 // empty, or not the last and not a multiple of 8 bytes
	FragDropConflict                  // bytes beyond the end, or two ends
	FragDropCount                     // more fragments than MaxFragments
	FragDropCut                       // the snap length cut a fragment, or its length is forged
	// NumFragDrops is the number of reasons.
	NumFragDrops = int(iota)
)

var fragDropNames = [NumFragDrops]string{"overlap", "too_long", "malformed", "conflict", "count", "cut"}

// String returns the stable name, which is also a metric label.
func (d FragDrop) String() string {
	if int(d) < NumFragDrops {
		return fragDropNames[d]
	}
	return "unknown"
}

// ReassemblyStats counts since the start. Fragments is those passed on plus those held. Lost is the held ones that were never counted in a
// packet, because their first fragment or, for a tunnel, the last one never arrived.
type ReassemblyStats struct {
	Fragments, Held, Lost uint64 // frames
	Started, Completed    uint64 // datagrams
	Expired, Evicted      uint64 // datagrams dropped: by timeout, for space
	Overlaps, Duplicates  uint64 // fragments
	Dropped               [NumFragDrops]uint64
}

// quiet is how long a completed datagram is kept: mirror ports duplicate packets, and a duplicate must not start a new datagram. It is short
// because the 16-bit identification of IPv4 wraps within seconds (RFC 4963).
const quiet = 2e9

// maxReassembly bounds fragments within fragments (a fragmented tunnel that carries fragments).
const maxReassembly = 3

// Reassembler reassembles IP datagrams. It is used by one goroutine, in the order of the packets.
//
// If IPv4 fragments overlap, the bytes that arrived first win. If IPv6 fragments overlap, the datagram is dropped (RFC 5722), unless they are
// duplicates. A datagram with contradicting lengths is dropped. The fragments of dropped datagrams are still counted.
type Reassembler struct {
	cfg    ReassemblerConfig
	table  fragTable
	store  blockStore
	arena  *Arena
	own    Arena
	path   [maxReassembly + 1]Datagram
	depth  int // of path
	counts ReassemblyStats
}

// Datagram identifies a fragmented datagram.
type Datagram struct{ key fragKey }

// NewReassembler returns an empty Reassembler. It allocates memory as needed, up to its bounds.
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

// Stats returns the counts since the start.
func (r *Reassembler) Stats() ReassemblyStats { return r.counts }

// Len returns the number of datagrams in the table.
func (r *Reassembler) Len() int { return r.table.count }

// Add adds a fragment: p as Decode left it, with Frag FragFirst or FragLater. It reports whether the caller should pass p on. If not, p is held,
// and a later packet counts it (Count, IPBytes, PayloadLen). A packet that completes a datagram becomes FragComplete. If the datagram is a
// tunnel, p becomes the inner packet, and Count the number of its frames.
func (r *Reassembler) Add(p *Packet) bool { return r.add(p, 0) }

// Datagrams returns the datagrams that the packet of the last call of Add is a fragment of, outermost first: several if the fragment completed
// a tunnel that carries a fragment. It is valid until the next call.
func (r *Reassembler) Datagrams() []Datagram { return r.path[:r.depth] }

func (r *Reassembler) add(p *Packet, level int) bool {
	if level == 0 {
		r.counts.Fragments++
	}
	r.expire(p.Time)
	r.path[level].key, r.depth = keyOf(p), level+1
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

// find returns the datagram of p, a new one if there is none or if it was completed more than quiet ago.
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

// expire drops datagrams that are too old. The list is in the order of arrival, so it stops at the first one that is not.
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

// drop stops the reassembly of d. Its fragments are passed on as they arrive.
func (r *Reassembler) drop(d *datagram, why FragDrop) {
	r.counts.Dropped[why]++
	r.freeBlocks(d)
	d.state, d.hold = broken, false
}

// complete makes p, the last fragment to arrive, the complete datagram.
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
	d.hold = d.hold && p.NumTunnels != tunnels // duplicates of a decoded tunnel stay held
	if p.Frag != FragNone {                    // an inner fragment
		return level == maxReassembly || r.add(p, level+1)
	}
	if p.NumTunnels == tunnels {
		p.Frag, p.PayloadLen, p.Body = FragComplete, bytes, nil
	}
	return true
}

// assemble returns the bytes of a complete datagram.
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

// transportOf decodes a reassembled datagram from its first header, with tunnels.
func transportOf(p *Packet, next uint8, b []byte, depth int) Verdict {
	if p.V6 {
		return extensions(p, next, b, len(b), depth, true)
	}
	return transport(p, next, b, len(b), depth)
}
