// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"net/netip"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/lru"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// announcements ties the flows of RTP and RTCP to the session of RTSP that announced them, by the addresses and ports to which both sides
// agreed. An announcement is valid while its session lives, because the same ports may serve another program afterwards.
type announcements struct {
	ends     *lru.Table[mediaEnd, announced]
	sessions *lru.Table[uint64, announcer] // by View.ID
	flows    *lru.Table[uint64, mediaFlow] // tied flows, by View.ID
	halves   *lru.Table[tunnelEnds, half]  // of RTSP over HTTP, the first session of each tunnel
}

// tunnelEnds is what both sessions of RTSP over HTTP have in common.
type tunnelEnds struct {
	cookie         uint64
	client, server packet.Addr
}

// half is the first session of a tunnel.
type half struct {
	session uint64
	id      string // its Community ID
}

// mediaEnd is one end of a flow, and the host at the other, the zero Addr for any.
type mediaEnd struct {
	addr packet.Addr
	port uint16
	peer packet.Addr
}

// announced is what is known of an end: the session that announced it, and the name of what it sends.
type announced struct {
	session uint64
	name    string
}

// announcer is a session of RTSP that announced flows.
type announcer struct {
	id   string // its Community ID
	ends []mediaEnd
}

// mediaFlow is what a tied flow is reported with. app is from with name and Community ID.
type mediaFlow struct {
	id, name  string
	from, app *fingerprint.App
}

// Bounds of the tables: sessions of RTSP, with at most four ends for each transport, and live flows.
const (
	maxAnnouncers    = 4096
	maxAnnouncedEnds = 4 * maxAnnouncers
	maxMediaFlows    = 2 * maxAnnouncers
	maxEnds          = 64 // of one session
)

func newAnnouncements() *announcements {
	return &announcements{lru.New[mediaEnd, announced](maxAnnouncedEnds), lru.New[uint64, announcer](maxAnnouncers), lru.New[uint64, mediaFlow](maxMediaFlows),
		lru.New[tunnelEnds, half](maxAnnouncers)}
}

// evicted returns how many entries were evicted because a table was full.
func (a *announcements) evicted() uint64 {
	return a.ends.Evicted() + a.sessions.Evicted() + a.flows.Evicted() + a.halves.Evicted()
}

// event learns from a session of RTSP, and sets the name and the announcer of what it announced.
func (a *announcements) event(e *detect.Event) {
	const udp = 17
	isUDP := e.Session.Proto == udp
	if e.Fact != nil && !isUDP {
		a.fact(e)
	}
	if a.flows.Len() > 0 && (isUDP || e.App != nil && e.App.Name == "rtsp") || a.sessions.Len() > 0 && isUDP {
		a.flow(e, isUDP)
	}
	over := e.Kind == detect.SessionEnded || e.Session.State == session.Closed || e.Session.State == session.Reset
	if over && !isUDP && a.sessions.Len() > 0 {
		a.end(e.Session.ID)
	}
}

func (a *announcements) fact(e *detect.Event) {
	client, server := e.Session.Initiator.Addr, e.Session.Responder.Addr
	switch f := e.Fact.(type) {
	case *dissect.MediaTransport:
		if e.FactDir == session.Out { // the server is the initiator
			client, server = server, client
		}
		a.transport(e.Session, f, client, server)
	case *dissect.MediaDescription:
		a.description(e.Session, f)
	case *dissect.MediaTunnel:
		a.tunnel(e.Session, tunnelEnds{f.Cookie, client, server})
	}
}

// tunnel ties the second session of RTSP over HTTP to the first.
func (a *announcements) tunnel(v *session.View, ends tunnelEnds) {
	if first := a.halves.Get(ends); first == nil {
		*a.halves.Put(ends) = half{v.ID, session.CommunityID(v)}
	} else if first.session != v.ID {
		*a.flows.Put(v.ID) = mediaFlow{id: first.id, name: "rtsp"}
	}
}

var mediaNames = [2]string{"rtp", "rtcp"}

// transport learns the two flows that the server has agreed to.
func (a *announcements) transport(v *session.View, t *dissect.MediaTransport, client, server packet.Addr) {
	client, server = otherThan(client, t.Destination), otherThan(server, t.Source)
	for i, name := range mediaNames {
		if t.Multicast {
			a.announce(v, mediaEnd{addr: client, port: t.ClientPorts[i]}, name)
			continue
		}
		a.announce(v, mediaEnd{client, t.ClientPorts[i], server}, name)
		a.announce(v, mediaEnd{server, t.ServerPorts[i], client}, name)
	}
}

// otherThan returns the address that a message names in place of that of its session, if it names one.
func otherThan(own packet.Addr, named netip.Addr) packet.Addr {
	if !named.IsValid() || named.IsUnspecified() {
		return own
	}
	return packet.AddrOf(named.Unmap()).In(own.Scope())
}

// description learns the groups to which media are sent without a SETUP. RTCP uses the next port (RFC 3550 section 11).
func (a *announcements) description(v *session.View, d *dissect.MediaDescription) {
	for _, t := range d.Media {
		if t.Addr.IsMulticast() && t.Port != 0 {
			group := otherThan(v.Responder.Addr, t.Addr)
			a.announce(v, mediaEnd{addr: group, port: t.Port}, mediaNames[0])
			a.announce(v, mediaEnd{addr: group, port: t.Port + 1}, mediaNames[1])
		}
	}
}

func (a *announcements) announce(v *session.View, end mediaEnd, name string) {
	if end.port == 0 {
		return
	}
	s := a.sessions.Get(v.ID)
	if s == nil {
		s = a.sessions.Put(v.ID)
		*s = announcer{id: session.CommunityID(v)}
	}
	if len(s.ends) < maxEnds {
		s.ends = append(s.ends, end)
		*a.ends.Put(end) = announced{v.ID, name}
	}
}

// end drops what a session has announced.
func (a *announcements) end(id uint64) {
	s, ok := a.sessions.Take(id)
	if !ok {
		return
	}
	for _, end := range s.ends {
		if x := a.ends.Peek(end); x != nil && x.session == id {
			a.ends.Drop(end)
		}
	}
}

// flow sets name and announcer of a session, which is looked for among the announced ones if find is set.
func (a *announcements) flow(e *detect.Event, find bool) {
	v := e.Session
	f := a.flows.Get(v.ID)
	if f == nil {
		if !find {
			return
		}
		s, name := a.find(v)
		if s == nil {
			return
		}
		f = a.flows.Put(v.ID)
		*f = mediaFlow{id: s.id, name: name}
	}
	if f.app == nil || f.from != e.App {
		f.from, f.app = e.App, e.App.AnnouncedBy(f.id, f.name)
	}
	e.App = f.app
	if e.Kind == detect.SessionEnded {
		a.flows.Drop(v.ID)
	}
}

// find returns the session that announced one end of v, and the name of what it sends; nil if none did.
func (a *announcements) find(v *session.View) (s *announcer, name string) {
	from, to := &v.Initiator, &v.Responder
	for _, end := range [...]mediaEnd{{from.Addr, from.Port, to.Addr}, {to.Addr, to.Port, from.Addr}, {addr: to.Addr, port: to.Port}} {
		if x := a.ends.Get(end); x != nil {
			if s = a.sessions.Get(x.session); s != nil {
				return s, x.name
			}
		}
	}
	return nil, ""
}
