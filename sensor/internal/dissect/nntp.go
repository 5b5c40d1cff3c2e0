// SPDX-License-Identifier: Apache-2.0

package dissect

// nntp reads NNTP (RFC 3977) as far as login (RFC 4643) and TLS (RFC 4642) go.
type nntp struct {
	login   attempt
	greeted bool
	tls     bool
}

func openNNTP(*Conversation) streamDissector {
	return &lineStream{proto: &nntp{login: attempt{protocol: "nntp"}}}
}

// looksNNTP takes the greeting only where NNTP is expected: a number says too little.
func looksNNTP(head []byte, _ bool, ports Ports) verdict {
	if !ports.has(119, 433) {
		return no
	}
	return startsWithAny(head, "200 ", "201 ")
}

func (n *nntp) line(dir int, text []byte, sink Sink) lineAction {
	if dir == FromClient {
		return n.command(text)
	}
	code, _ := replyCode(text)
	switch {
	case !n.greeted:
		n.greeted = true
		if len(text) > 4 {
			sink(&Banner{Protocol: "nntp", Text: cleanText(text[4:], maxBanner)})
		}
	case n.tls:
		n.tls = false
		if code == 382 {
			return lineTLS
		}
		return lineResume
	case code == 281:
		n.login.result(OutcomeSuccess, sink)
	case code == 481 || code == 482 || code == 502:
		n.login.result(OutcomeFailure, sink)
	}
	return lineNext
}

// command stops at the first that has to do with news: what answers it is long, and looks like anything.
func (n *nntp) command(text []byte) lineAction {
	name, arg := word(text)
	switch {
	case foldEqual(name, "starttls"):
		n.tls = true
		return linePause
	case foldEqual(name, "authinfo"):
		kind, value := word(arg)
		if foldEqual(kind, "user") {
			n.login.name(value)
		} else if foldEqual(kind, "pass") {
			n.login.password(value)
		}
	case !foldEqual(name, "capabilities") && !foldEqual(name, "mode") && !foldEqual(name, "date"):
		return lineStop
	}
	return lineNext
}

func (n *nntp) end(sink Sink) { n.login.result(OutcomeUnknown, sink) }
