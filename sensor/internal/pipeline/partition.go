// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"unsafe"

	"stillwatch/sensor/internal/cacheline"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// partition is the handler of one session table. It turns what happens there into events.
type partition struct {
	sh      *shard
	table   *session.Table
	part    uint8
	seq     uint32
	details details
	sink    dissect.Sink
	// The arguments of the current call, for sink.
	s   *session.Session
	d   session.Dir
	now int64
	// The name of the application if it was identified in the current call and no event has reported it yet.
	named *dissect.AppID
	// The latest view of the block, and shard.num when it was made.
	view   *session.View
	viewed uint64
}

// state is what is known of a session beyond its packets and the name of its protocol.
type state struct {
	app  *fingerprint.App // nil: only the name is known
	conv *dispatch.Conversation
	side session.Dir // initiator side when conv began: if the initiator changes later, the streams must not be swapped

	// Links of the list of details.
	s          *session.Session
	prev, next *state
}

// emit appends an event; the caller sets the other fields. At a tick its time is the second of an expiry.
func (p *partition) emit(k detect.Kind, now int64) *detect.Event {
	sh := p.sh
	due := int64(0)
	if sh.ticked {
		due = now / 1e9
	}
	sh.out.events = append(sh.out.events, ordered{num: sh.num, due: due, part: p.part, seq: p.seq})
	p.seq++
	e := &sh.out.events[len(sh.out.events)-1].Event
	e.Kind, e.Time, e.Num = k, now, sh.num/2
	return e
}

func (p *partition) session(k detect.Kind, s *session.Session, now int64) {
	p.newView(s)
	e := p.emit(k, now)
	e.Session, e.App = p.view, p.app(s)
	if k == detect.SessionOpened || k == detect.SessionState {
		if e.Stack = p.stack(); e.Stack != nil {
			e.Stamp = fingerprint.Stamp(p.sh.frame)
		}
	}
}

// stack returns the TCP/IP stack of the sender if the current packet is a SYN or SYN-ACK of the session in view.
func (p *partition) stack() *fingerprint.Stack {
	f := p.sh.frame
	if f == nil || p.sh.ticked || f.Kind != packet.KindTCP || f.TCPFlags&packet.SYN == 0 {
		return nil
	}
	end := &p.view.Initiator
	if f.TCPFlags&packet.ACK != 0 {
		end = &p.view.Responder
	}
	if end.Addr != f.Src || end.Port != f.SrcPort {
		return nil
	}
	return fingerprint.StackOf(f)
}

// newView makes a view of s.
func (p *partition) newView(s *session.Session) {
	p.view, p.viewed = p.sh.out.views.next(), p.sh.num
	p.table.View(s, p.view)
}

// app returns what is known of the application of s, nil if nothing.
func (p *partition) app(s *session.Session) *fingerprint.App {
	if x, ok := p.table.User(s).(*state); ok && x.app != nil {
		return x.app
	}
	return p.sh.names.app(s.Label)
}

// Opened implements session.Handler.
func (p *partition) Opened(s *session.Session, now int64) { p.session(detect.SessionOpened, s, now) }

// Changed implements session.Handler.
func (p *partition) Changed(s *session.Session, now int64) { p.session(detect.SessionState, s, now) }

// Progress implements session.Handler.
func (p *partition) Progress(s *session.Session, now int64) {
	p.session(detect.SessionProgress, s, now)
}

// Active implements session.Handler.
func (p *partition) Active(s *session.Session, bins []session.Bin, now int64) {
	p.newView(s)
	e := p.emit(detect.SessionActivity, now)
	e.Session, e.App, e.Activity = p.view, p.app(s), p.sh.out.activity(bins)
}

// Ended implements session.Handler.
func (p *partition) Ended(s *session.Session, _ session.EndReason, now int64) {
	p.session(detect.SessionEnded, s, now)
	if x, ok := p.table.User(s).(*state); ok {
		p.details.remove(x)
		x.app = nil
		p.settle(x)
	}
}

// Stream implements session.Handler.
func (p *partition) Stream(s *session.Session, d session.Dir, head []byte, final bool, now int64) (want int) {
	p.s, p.d, p.now = s, d, now
	x := p.conversation(s)
	want = x.conv.Stream(int(d^x.side^s.InitiatorSide()), head, final, p.sink)
	p.reportName()
	return want
}

// Datagram implements session.Handler.
func (p *partition) Datagram(s *session.Session, d session.Dir, data []byte, now int64) (more bool) {
	p.s, p.d, p.now = s, d, now
	x := p.conversation(s)
	more = x.conv.Datagram(int(d^x.side^s.InitiatorSide()), data, p.sink)
	p.reportName()
	return more
}

// Echo implements session.Handler.
func (p *partition) Echo(s *session.Session, d session.Dir, m *packet.Packet, now int64) {
	p.s, p.d, p.now = s, d, now
	x := p.conversation(s)
	x.conv.Echo(int(d^x.side^s.InitiatorSide()), m.ICMPID, m.ICMPSeq, m.Payload, packet.UsualEcho(m.Payload), p.sink)
}

// Release implements session.Handler.
func (p *partition) Release(s *session.Session) {
	x, ok := p.table.User(s).(*state)
	if !ok || x.conv == nil {
		return
	}
	x.conv.Reset(dissect.Ports{}, nil) // drops what it has read
	p.sh.conversations.put(x.conv)
	x.conv = nil
	p.settle(x)
}

// Soon implements session.Handler.
func (p *partition) Soon(s *session.Session, step int) {
	x, ok := p.table.User(s).(*state)
	switch {
	case !ok:
	case step == 2:
		cacheline.Prefetch(unsafe.Pointer(x), 1)
	case x.conv == nil:
	case step == 1:
		cacheline.Prefetch(unsafe.Pointer(x.conv), int(unsafe.Sizeof(*x.conv))/cacheline.Size+1)
	default:
		x.conv.Prefetch()
	}
}

// settle frees the state of a session that no longer needs it.
func (p *partition) settle(x *state) {
	if x.app == nil && x.conv == nil {
		p.table.SetUser(x.s, nil)
		*x = state{}
		p.sh.states.put(x)
	}
}

func (p *partition) conversation(s *session.Session) *state {
	x, ok := p.table.User(s).(*state)
	if !ok {
		x = p.sh.states.get()
		x.s = s
		p.table.SetUser(s, x)
	}
	if x.conv == nil {
		x.conv = p.sh.conversations.get()
		c, r := s.Ports()
		x.side = s.InitiatorSide()
		x.conv.Reset(dissect.Ports{Client: c, Server: r}, &p.sh.dissectors)
		p.sh.counts.Conversations++
	}
	return x
}

// fact handles a fact about the current session.
func (p *partition) fact(f dissect.Fact) {
	x := p.table.User(p.s).(*state)
	if q, ok := f.(*dissect.QUICInitial); ok {
		p.d = p.s.SetQUIC(q.FromClient, p.d)
		p.view = nil
	}
	if m, ok := f.(*dissect.DHCPMessage); ok && p.sh.frame != nil {
		m.EtherSrc = p.sh.frame.SrcMAC
	}
	app := p.learn(x, f)
	if id, ok := f.(*dissect.AppID); ok {
		p.named = id // another fact usually follows at once
		return
	}
	p.report(f, app)
}

func (p *partition) report(f dissect.Fact, app *fingerprint.App) {
	v := p.viewOf(p.s)
	e := p.emit(detect.SessionFact, p.now)
	e.Session, e.App, e.Fact, e.FactDir, e.Named = v, app, f, p.d, p.named != nil
	p.named = nil
}

// reportName reports the name of the application if no other fact has reported it.
func (p *partition) reportName() {
	if p.named != nil {
		p.report(p.named, p.app(p.s))
	}
}

// viewOf returns the view of s, reusing one that was made at the same packet: between two facts of one packet only the initiator of a QUIC
// session can change.
func (p *partition) viewOf(s *session.Session) *session.View {
	if p.view == nil || p.viewed != p.sh.num || p.view.ID != s.ID() {
		p.newView(s)
	}
	return p.view
}

// learn adds a fact to what is known of the session. A name alone is kept in the session, everything else in the details.
func (p *partition) learn(x *state, f dissect.Fact) *fingerprint.App {
	if id, ok := f.(*dissect.AppID); ok {
		p.s.Label = p.sh.names.label(id.Name)
		if x.app == nil {
			return p.sh.names.app(p.s.Label)
		}
	}
	if x.app == nil {
		x.app = p.sh.names.app(p.s.Label)
		if old := p.details.add(x); old != nil {
			p.sh.counts.DetailsDropped++
			old.app = nil
			p.settle(old)
		}
	}
	x.app = x.app.With(f)
	return x.app
}
