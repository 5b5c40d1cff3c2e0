// SPDX-License-Identifier: Apache-2.0

package dissect

// handover gives the rest of both streams to TLS, from the offsets at which a proxy or a STARTTLS command turned the
// session over. The session keeps the name of the protocol that it began with.
type handover struct {
	from  [2]int
	tls   tlsStream
	relay *relay // of a proxy, which may relay another protocol than TLS
}

func (h *handover) feed(dir int, head []byte, final bool, sink Sink) int {
	from := h.from[dir]
	if len(head) <= from {
		if final {
			return 0
		}
		return from + 1
	}
	var want int
	if h.relay != nil && !h.relay.tls {
		want = h.relay.feed(dir, head[from:], final, sink)
	}
	if h.relay == nil || h.relay.tls {
		want = h.tls.feed(dir, head[from:], final, sink)
	}
	if want <= 0 {
		return 0
	}
	return from + want
}

// relay tells what a proxy relays. TLS leaves the session its name, another protocol gives it its own.
type relay struct {
	tls, stopped bool
	inner        streamDissector
}

// relayed are the protocols that are looked for, by what the client sends first and by what the server does.
var relayed = [2][]streamIdentifier{
	FromClient: {
		{AppID{"tls"}, looksTLS, nil},
		{AppID{"ssh"}, looksSSH, func(*Conversation) streamDissector { return new(sshStream) }},
		{AppID{"smtp"}, looksSMTPClient, func(*Conversation) streamDissector { return &lineStream{proto: newSMTP()} }},
	},
	FromServer: {
		{AppID{"tls"}, looksTLS, nil},
		{AppID{"ssh"}, looksSSH, func(*Conversation) streamDissector { return new(sshStream) }},
		{AppID{""}, looksGreeting, func(*Conversation) streamDissector { return &lineStream{proto: new(greeting)} }},
		{AppID{"pop3"}, looksPOP3, func(*Conversation) streamDissector { return &lineStream{proto: newPOP3()} }},
		{AppID{"imap"}, looksIMAP, func(*Conversation) streamDissector { return &lineStream{proto: newIMAP()} }},
	},
}

func (r *relay) feed(dir int, head []byte, final bool, sink Sink) int {
	if r.inner == nil && !r.stopped {
		id, v := matchStream(relayed[dir], head, final, Ports{})
		switch {
		case v == maybe:
			return len(head) + 1
		case v == no:
			r.stopped = true
		case id.open == nil:
			r.tls = true
		default:
			r.inner = id.open(nil)
			if id.app.Name != "" {
				sink(&id.app)
			}
		}
	}
	if r.inner == nil {
		return 0
	}
	return r.inner.feed(dir, head, final, sink)
}
