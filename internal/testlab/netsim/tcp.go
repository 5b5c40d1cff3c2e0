// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"encoding/binary"
	"time"

	"github.com/google/gopacket/layers"
)

// Side is an end of a connection.
type Side int

// The sides. The client opened the connection.
const (
	Client Side = 0
	Server Side = 1
)

func (s Side) other() Side { return 1 - s }

// Conn is a TCP connection in the capture. It has its own time: Now is the time of its last
// packet, and every call advances it.
type Conn struct {
	net     *Net
	now     time.Time
	turn    Side // side of the last packet
	ends    [2]connEnd
	snap    int
	tsv     bool // both ends agreed on timestamps (RFC 7323)
	mss     int
	last    segment // last segment with data, for Resend
	lastDir Side
}

type connEnd struct {
	host  *Host
	port  uint16
	seq   uint32 // next to send
	ack   uint32 // next expected from the peer
	owes  bool   // has received data that it has not acknowledged
	tsEcr uint32
}

type segment struct {
	flags   tcpFlags
	seq     uint32
	payload []byte
}

type tcpFlags struct{ syn, ack, psh, fin, rst bool }

// Dial opens a connection: SYN, SYN-ACK, ACK.
func (n *Net) Dial(at time.Time, client, server *Host, port uint16) *Conn {
	return n.DialFrom(at, client, n.ephemeral(client.IP), server, port)
}

// DialFrom is like Dial, with a given client port.
func (n *Net) DialFrom(at time.Time, client *Host, cport uint16, server *Host, port uint16) *Conn {
	c := n.open(at, client, cport, server, port)
	c.handshake()
	return c
}

// open returns a connection without packets.
func (n *Net) open(at time.Time, client *Host, cport uint16, server *Host, port uint16) *Conn {
	c := &Conn{net: n, now: at, mss: 1460}
	c.ends[Client] = connEnd{host: client, port: cport, seq: n.rng.Uint32()}
	c.ends[Server] = connEnd{host: server, port: port, seq: n.rng.Uint32()}
	c.tsv = client.Stack.traits().tsv && server.Stack.traits().tsv
	if c.tsv {
		c.mss -= 12
	}
	return c
}

func (c *Conn) handshake() {
	c.emitAt(Client, segment{flags: tcpFlags{syn: true}})
	c.emit(Server, segment{flags: tcpFlags{syn: true, ack: true}})
	c.emit(Client, segment{flags: tcpFlags{ack: true}})
}

// Now returns the time of the last packet.
func (c *Conn) Now() time.Time { return c.now }

// Wait advances the time. Delayed acknowledgements are sent first (RFC 1122 section 4.2.3.2).
func (c *Conn) Wait(d time.Duration) *Conn {
	if d >= 40*time.Millisecond {
		c.flush()
	}
	c.now = c.now.Add(d)
	return c
}

// WaitUntil advances the time to t. It does nothing if t has passed.
func (c *Conn) WaitUntil(t time.Time) *Conn {
	if t.After(c.now) {
		c.Wait(t.Sub(c.now))
	}
	return c
}

// Snap truncates the following frames to k bytes in the capture; 0 keeps all.
func (c *Conn) Snap(k int) *Conn { c.snap = k; return c }

// Send sends data from the client, in segments.
func (c *Conn) Send(data []byte) *Conn { return c.Data(Client, data) }

// Reply sends data from the server, in segments.
func (c *Conn) Reply(data []byte) *Conn { return c.Data(Server, data) }

// Data sends data from one side, in segments; the last has PSH.
func (c *Conn) Data(from Side, data []byte) *Conn {
	if c.ends[from.other()].owes && c.turn == from {
		c.flush()
	}
	for n := 0; len(data) > 0; n++ {
		k := min(len(data), c.mss)
		c.emit(from, segment{flags: tcpFlags{ack: true, psh: k == len(data)}, payload: data[:k]})
		data = data[k:]
		if n%2 == 1 && len(data) > 0 {
			c.flush()
		}
	}
	return c
}

// Bulk sends total random bytes from one side in about the given time, acknowledged every ackEvery segments.
func (c *Conn) Bulk(from Side, total int, in time.Duration, ackEvery int) *Conn {
	segments := (total + c.mss - 1) / c.mss
	gap := in / time.Duration(max(segments, 1))
	start := c.now
	for i := 0; i < segments; i++ {
		c.WaitUntil(start.Add(time.Duration(i) * gap))
		c.emit(from, segment{flags: tcpFlags{ack: true}, payload: c.net.Bytes(min(c.mss, total))})
		total -= c.mss
		if (i+1)%ackEvery == 0 {
			c.flush()
		}
	}
	return c
}

// Resend sends the last segment with data again, as after a time-out.
func (c *Conn) Resend() *Conn {
	c.now = c.now.Add(220 * time.Millisecond)
	c.emitAt(c.lastDir, c.last)
	return c
}

// Close closes the connection from the client and returns the time of the last packet.
func (c *Conn) Close() time.Time { return c.CloseBy(Client) }

// CloseBy closes the connection with FIN in both directions, s first, and returns the time of the last packet.
func (c *Conn) CloseBy(s Side) time.Time {
	c.flush()
	c.emit(s, segment{flags: tcpFlags{fin: true, ack: true}})
	c.emit(s.other(), segment{flags: tcpFlags{fin: true, ack: true}})
	c.emit(s, segment{flags: tcpFlags{ack: true}})
	return c.now
}

// Abort resets the connection from one side and returns the time of the RST.
func (c *Conn) Abort(s Side) time.Time {
	c.emit(s, segment{flags: tcpFlags{rst: true, ack: true}})
	return c.now
}

// flush sends pending acknowledgements.
func (c *Conn) flush() {
	for _, s := range []Side{Client, Server} {
		if c.ends[s].owes {
			c.emit(s, segment{flags: tcpFlags{ack: true}})
		}
	}
}

// emit sends a segment after the response time of the side, or directly behind its previous packet.
func (c *Conn) emit(from Side, s segment) {
	if from == c.turn {
		c.now = c.now.Add(c.net.Between(12*time.Microsecond, 40*time.Microsecond))
	} else {
		c.now = c.now.Add(c.net.jitter(c.ends[from].host.Delay))
	}
	s.seq = c.ends[from].seq
	c.emitAt(from, s)
}

func (c *Conn) emitAt(from Side, s segment) {
	me, peer := &c.ends[from], &c.ends[from.other()]
	if s.flags.syn {
		s.seq = me.seq
	}
	t := c.header(from, s)
	c.net.transport(c.now, c.snap, me.host, peer.host, layers.IPProtocolTCP, t, s.payload)
	c.turn, me.owes = from, false
	next := s.seq + uint32(len(s.payload))
	if s.flags.syn || s.flags.fin {
		next++
	}
	if len(s.payload) > 0 {
		c.last, c.lastDir, peer.owes = s, from, true
	}
	if int32(next-me.seq) > 0 {
		me.seq, peer.ack = next, next
	}
	peer.tsEcr = me.host.clock(c.now)
}

func (c *Conn) header(from Side, s segment) *layers.TCP {
	me, peer := &c.ends[from], &c.ends[from.other()]
	tr := me.host.Stack.traits()
	t := &layers.TCP{SrcPort: layers.TCPPort(me.port), DstPort: layers.TCPPort(peer.port), Seq: s.seq, Window: tr.window,
		SYN: s.flags.syn, ACK: s.flags.ack, PSH: s.flags.psh, FIN: s.flags.fin, RST: s.flags.rst}
	if s.flags.ack {
		t.Ack = me.ack
	}
	if s.flags.syn {
		t.Options = c.synOptions(from)
		return t
	}
	if tr.scale > 0 {
		t.Window = 501
	}
	if c.tsv && !s.flags.rst {
		t.Options = []layers.TCPOption{nop(), nop(), c.timestamp(from)}
	}
	return t
}

// synOptions returns the options in the order that the stack uses.
func (c *Conn) synOptions(from Side) []layers.TCPOption {
	host := c.ends[from].host
	tr := host.Stack.traits()
	answer := from == Server
	peer := c.ends[from.other()].host.Stack.traits()
	o := []layers.TCPOption{{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{0x05, 0xb4}}}
	sack := layers.TCPOption{OptionType: layers.TCPOptionKindSACKPermitted, OptionLength: 2}
	hasScale := tr.scale >= 0 && (!answer || peer.scale >= 0)
	scale := layers.TCPOption{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{byte(max(tr.scale, 0))}}
	switch {
	case !tr.sack || answer && !peer.sack:
		return o
	case tr.tsv && (!answer || peer.tsv):
		o = append(o, sack, c.timestamp(from), nop())
	case host.Stack == Windows:
		return append(o, nop(), scale, nop(), nop(), sack)
	default:
		o = append(o, nop(), nop(), sack, nop())
	}
	if hasScale {
		o = append(o, scale)
	}
	return o
}

func (c *Conn) timestamp(from Side) layers.TCPOption {
	var b [8]byte
	binary.BigEndian.PutUint32(b[:], c.ends[from].host.clock(c.now))
	binary.BigEndian.PutUint32(b[4:], c.ends[from].tsEcr)
	return layers.TCPOption{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: b[:]}
}

// clock returns the host's TCP timestamp clock, 1 kHz.
func (h *Host) clock(t time.Time) uint32 { return h.uptime + uint32(t.UnixMilli()) }

func nop() layers.TCPOption {
	return layers.TCPOption{OptionType: layers.TCPOptionKindNop, OptionLength: 1}
}
