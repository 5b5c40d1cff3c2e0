// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"slices"
	"strings"

	"stillwatch/sensor/internal/dissect"
)

// authInference infers from the sizes of encrypted packets whether a login succeeded (RFC 4252). The cipher and the MAC
// determine the size of a packet from that of its payload. SSH_MSG_USERAUTH_SUCCESS is one byte, the shortest packet
// there is. SSH_MSG_USERAUTH_FAILURE lists the methods that may be tried, so it has one size within a connection.
// Whatever else comes in between (a banner, SSH_MSG_EXT_INFO, SSH_MSG_USERAUTH_PK_OK, a question to the user) has other
// sizes. The client's sizes show what was answered: a request to log in is longer than one to open a channel, which a
// server also answers with a short packet before the login.
//
// The result stays unknown with compression from the start, with unknown algorithms, after a gap, for SSH 1, if the
// sizes allow more than one reading, and for a login beyond the end of the head that is kept.
type authInference struct {
	sizes         [2]packetSizes
	known         bool // sizes is set
	over          bool
	heard         bool // the client has sent encrypted data
	accepted      bool // the login service was accepted: what follows are requests and their answers
	sendsIgnore   bool // the server sends SSH_MSG_IGNORE, as short as success, before each answer
	pushesKeys    bool // the server sends something unasked after a login
	skipsNone     bool // the client does not begin with the method "none"
	startsNone    bool // the client begins with the method "none"
	claimsOpenSSH bool // the client claims to be OpenSSH
	ended         bool // a side has ended
	first         int  // what the client sent until the service was accepted
	turns         []authTurn
	reported      dissect.SSHAuth
}

// authTurn is what the client sent since the server's last packet, and what the server answered.
type authTurn struct {
	ask     uint16 // longest packet of the client
	answer  uint16 // last packet of the server, 0 if there is none
	answers uint8
	short   uint8 // packets like SSH_MSG_USERAUTH_SUCCESS at the end, or before something that is not a refusal
	grant   bool  // one of the answers is as long as SSH_MSG_SERVICE_ACCEPT
}

const maxTurns = 128

// Sizes of payloads in bytes.
const (
	serviceRequest = 17  // SSH_MSG_SERVICE_REQUEST and SSH_MSG_SERVICE_ACCEPT of ssh-userauth
	channelOpen    = 24  // SSH_MSG_CHANNEL_OPEN of a session
	leastRequest   = 32  // SSH_MSG_USERAUTH_REQUEST: "none" for a user of one letter
	leastSecret    = 42  // the same with a password of one letter
	leastKeyboard  = 56  // the same for keyboard-interactive
	mostNone       = 63  // "none" for a user of 32 letters
	likelyNone     = 39  // "none" for a user of eight letters
	leastKeyAsk    = 100 // SSH_MSG_USERAUTH_REQUEST with the shortest key in use
	leastBanner    = 11  // SSH_MSG_USERAUTH_BANNER of one letter
	passwordUnit   = 64  // OpenSSH pads packets with passwords to a multiple of it (sshconnect2.c)
	mostMethods    = 110
	leastKey       = 71 // SSH_MSG_USERAUTH_PK_OK with the shortest key in use, Ed25519
)

// banner reads what the identification lines reveal about the behavior of the endpoints.
func (a *authInference) banner(server bool, line string) {
	name := strings.TrimPrefix(line, "SSH-2.0-")
	starts := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
	if server {
		// OpenSSH sends its host keys after each login since 6.8.
		a.sendsIgnore = starts("AsyncSSH")
		a.pushesKeys = starts("OpenSSH_7") || starts("OpenSSH_8") || starts("OpenSSH_9") || starts("OpenSSH_1")
		return
	}
	a.skipsNone = slices.ContainsFunc([]string{"paramiko", "phpseclib", "SSHJ"}, starts)
	a.claimsOpenSSH = starts("OpenSSH")
	a.startsNone = slices.ContainsFunc([]string{"OpenSSH", "PuTTY", "dropbear", "AsyncSSH", "Go", "libssh", "JSCH"}, starts)
}

// negotiated reads the offers of both sides. zlib@openssh.com compresses only after the login and does no harm.
func (a *authInference) negotiated(client, server *dissect.SSHKexInit) {
	if a.known || client == nil || server == nil {
		return
	}
	a.known = true
	a.sizes[dissect.FromClient] = sizesOf(chosen(client.EncC2S, server.EncC2S), chosen(client.MACC2S, server.MACC2S))
	a.sizes[dissect.FromServer] = sizesOf(chosen(client.EncS2C, server.EncS2C), chosen(client.MACS2C, server.MACS2C))
	if a.sizes[dissect.FromClient].block == 0 || a.sizes[dissect.FromServer].block == 0 ||
		chosen(client.CompressionS2C, server.CompressionS2C) == "zlib" || chosen(client.CompressionC2S, server.CompressionC2S) == "zlib" {
		a.over = true
	}
	// A client may call itself OpenSSH without being it. OpenSSH has a MAC of its own and offers it.
	a.startsNone = a.startsNone && (!a.claimsOpenSSH || isListed(client.MACC2S, "umac-64-etm@openssh.com"))
}

// stop ends the inference. What was reported remains.
func (a *authInference) stop() { a.over = true }

// client reads the size of a packet of the client, or of a segment if its packets cannot be distinguished.
func (a *authInference) client(size int, sink dissect.Sink) {
	s := &a.sizes[dissect.FromClient]
	if !a.heard {
		s.widen(size, serviceRequest)
		a.heard = true
	}
	if !a.accepted && a.first != 0 && len(a.turns) != 0 { // the server answered, if not with the expected size
		a.accepted, a.turns = true, a.turns[:0]
	}
	if !a.accepted {
		a.first += size
		return
	}
	if n := len(a.turns); n == 0 || a.turns[n-1].answers != 0 {
		if a.report(sink); a.over {
			return
		}
		if n >= maxTurns {
			a.over = true
			return
		}
		a.turns = append(a.turns, authTurn{})
	}
	t := &a.turns[len(a.turns)-1]
	t.ask = max(t.ask, uint16(min(size, 1<<16-1)))
}

// server reads the size of a packet of the server, or of a segment if its packets cannot be distinguished.
func (a *authInference) server(size int, sink dissect.Sink) {
	if !a.heard { // SSH_MSG_EXT_INFO
		return
	}
	s := &a.sizes[dissect.FromServer]
	if !a.accepted {
		s.widen(size, serviceRequest)
		a.turns = append(a.turns[:0], authTurn{}) // the server answered
		if size == s.of(serviceRequest) {
			a.accepted = true
			// A client need not wait for the acceptance.
			a.turns = append(a.turns[:0], authTurn{ask: uint16(min(max(0, a.first-a.sizes[dissect.FromClient].of(serviceRequest)), 1<<16-1))})
		}
		return
	}
	if len(a.turns) == 0 {
		return
	}
	a.turns[len(a.turns)-1].answered(a, size)
	// After the first answer, another failure needs no next packet, nor does the success of a server that sent nothing
	// as short before.
	if turns := a.requests(); len(turns) > 1 && (int(a.methods(turns)) == size || !a.sendsIgnore && a.grantsAccess(turns, len(turns)-1)) {
		a.report(sink)
	}
}

// answered reads the size of a packet of the server. If the first answer may be success, it counts as success only if
// the next packet is not a refusal.
func (t *authTurn) answered(a *authInference, size int) {
	s := a.sizes[dissect.FromServer]
	t.answer = uint16(min(size, 1<<16-1))
	t.answers += 1 - t.answers>>7
	t.grant = t.grant || size == s.of(serviceRequest)
	switch {
	case a.isShort(t.answer):
		t.short = min(t.short+1, 2)
	case s.one(size) && s.most(size) < leastKey || t.short == 1 && a.sendsIgnore:
		a.sendsIgnore = a.sendsIgnore || t.short == 1
		t.short = 0
	}
}

// end notes that a side has ended, or that the rest of it is not read. A failure is withdrawn then, because a success
// may follow.
func (a *authInference) end(cut bool, sink dissect.Sink) {
	a.ended = true
	if a.over {
		return
	}
	a.report(sink)
	if a.over = cut; cut && a.reported.Result == dissect.OutcomeFailure {
		a.reported.Result = dissect.OutcomeUnknown
		sink(&dissect.SSHAuth{Result: a.reported.Result, Failures: a.reported.Failures})
	}
}

// report reports the result of the turns if it has changed.
func (a *authInference) report(sink dissect.Sink) {
	if now := a.evaluate(); now != a.reported {
		a.reported = now
		sink(&dissect.SSHAuth{Result: now.Result, Failures: now.Failures})
		a.over = a.over || now.Result == dissect.OutcomeSuccess
	}
}

// evaluate returns the result of the turns.
func (a *authInference) evaluate() dissect.SSHAuth {
	turns := a.requests()
	now := dissect.SSHAuth{}
	refused := a.refused(turns)
	for i := range refused {
		now.Result = dissect.OutcomeFailure
		if a.secret(refused, i) {
			now.Failures++
		}
	}
	for i := range turns {
		if a.grantsAccess(turns, i) {
			now.Result = dissect.OutcomeSuccess
		}
	}
	return now
}

// requests returns the turns that are requests to log in: without those that ask for the service, which some clients do
// before each request, without those that have no answer, and without leading ones that are too short.
func (a *authInference) requests() (turns []authTurn) {
	for _, t := range a.turns {
		if a.counts(t, len(turns)) {
			turns = append(turns, t)
		}
	}
	return turns
}

// counts reports whether a turn after this many requests is another one.
func (a *authInference) counts(t authTurn, before int) bool {
	c := a.sizes[dissect.FromClient]
	service := int(t.ask) == c.of(serviceRequest) && t.grant
	return t.answers != 0 && !service && (before > 0 || c.most(int(t.ask)) >= leastRequest)
}

// isShort reports whether the size is that of SSH_MSG_USERAUTH_SUCCESS. Dropbear makes no packet with less than 16
// bytes beside the length.
func (a *authInference) isShort(size uint16) bool {
	s := a.sizes[dissect.FromServer]
	return int(size) == s.of(1) || s.block < 16 && s.separate && int(size) == s.rest()+16
}

// succeeds reports whether a turn ends with SSH_MSG_USERAUTH_SUCCESS, or with something as short.
func (a *authInference) succeeds(t authTurn) bool {
	exact := a.sizes[dissect.FromServer].block < 16 && int(t.answer) == a.sizes[dissect.FromServer].of(1)
	return t.short > 1 || t.short == 1 && (exact || !a.sendsIgnore)
}

// opens reports whether a turn asks for a channel and not for a login.
func (a *authInference) opens(t authTurn) bool {
	c := a.sizes[dissect.FromClient]
	return int(t.ask) == c.of(channelOpen) && c.most(int(t.ask)) < leastSecret
}

// asksChannel reports whether request i asks for a channel. A response to a question can be as long, but it follows the
// question, which is not a refusal.
func (a *authInference) asksChannel(turns []authTurn, i int) bool {
	f := a.methods(turns)
	return a.opens(turns[i]) && (i == 0 || f == 0 || turns[i-1].answer == f)
}

// grantsAccess reports whether the answer to request i shows that the login succeeded.
func (a *authInference) grantsAccess(turns []authTurn, i int) bool {
	t := turns[i]
	c := a.sizes[dissect.FromClient]
	if a.succeeds(t) {
		longest := c.most(int(t.ask))
		switch {
		case longest >= leastSecret, i == 0:
			return true
		case a.asksChannel(turns, i): // refused
			return false
		}
		return longest < leastRequest && turns[i-1].answer != a.methods(turns) // the response to a question
	}
	// A channel was requested, and what follows is too short for a request to log in: the channel is open. Its
	// confirmation is as long as the acceptance of the service; its refusal can be so too.
	return i > 1 && a.opens(turns[i-1]) && turns[i-1].grant && c.of(channelOpen) != c.of(serviceRequest) &&
		c.most(int(t.ask)) < leastSecret && !a.opens(t) && t.answer != a.methods(turns)
}

// methods returns the size of SSH_MSG_USERAUTH_FAILURE if it is known from the first request, otherwise 0. The answer
// to "none" is such a message, unless a banner precedes it and the two cannot be distinguished.
func (a *authInference) methods(turns []authTurn) uint16 {
	if len(turns) == 0 {
		return 0
	}
	x := turns[0].answer
	s := a.sizes[dissect.FromServer]
	if !s.one(int(x)) || s.least(int(x)) > mostMethods || a.isShort(x) || a.questions(turns) {
		return 0
	}
	return x
}

// questions reports whether the first request is answered by a question: it can be for keyboard-interactive, and what
// follows is too short for a request.
func (a *authInference) questions(turns []authTurn) bool {
	return len(turns) > 1 && a.replies(turns[1]) && a.sizes[dissect.FromClient].most(int(turns[0].ask)) >= leastKeyboard
}

// replies reports whether a turn answers a question: it is too short for a request.
func (a *authInference) replies(t authTurn) bool {
	return a.sizes[dissect.FromClient].most(int(t.ask)) < leastRequest && !a.opens(t)
}

// refused returns the attempts that were refused.
func (a *authInference) refused(turns []authTurn) (list []authTurn) {
	if len(turns) == 0 {
		return nil
	}
	// A client that asks for a channel after one answer, and gets no answer, may have answered a question.
	if last := a.turns[len(a.turns)-1]; len(turns) == 1 && last.answers == 0 && a.opens(last) {
		return nil
	}
	f := a.methods(turns)
	if f == 0 {
		f = a.repeated(turns)
	}
	for i, t := range turns {
		if t.answer == f && f != 0 && (i > 0 || a.attempts(turns)) && !a.asksChannel(turns, i) {
			list = append(list, t)
		}
	}
	if len(list) == 0 && a.lone(turns) {
		list = turns[len(turns)-1:]
	}
	return list
}

// secret reports whether a refused request can contain a password. Clients try all their keys, and a key that the
// server does not know is not a guess. Keys are longer than most passwords, and their length depends on their kind.
// OpenSSH pads long passwords to the length of a key.
func (a *authInference) secret(refused []authTurn, i int) bool {
	c, ask := a.sizes[dissect.FromClient], refused[i].ask
	if c.least(int(ask)) < leastKeyAsk || a.startsNone && (int(ask)-c.rest())%passwordUnit == 0 {
		return true
	}
	other := false
	for k, t := range refused {
		if k != i && t.ask == ask {
			return true
		}
		other = other || t.ask != ask && c.least(int(t.ask)) >= leastKeyAsk
	}
	return !other
}

// repeated returns the size that occurs again among the answers and can be a refusal, or 0.
func (a *authInference) repeated(turns []authTurn) uint16 {
	s := a.sizes[dissect.FromServer]
	for i := 1; i < len(turns); i++ {
		x := turns[i].answer
		if a.isShort(x) || !s.one(int(x)) || s.most(int(x)) >= leastKey || i+1 < len(turns) && a.replies(turns[i+1]) {
			continue
		}
		for _, u := range turns[i+1:] {
			if u.answer == x {
				return x
			}
		}
	}
	return 0
}

// attempts reports whether the first request contains a secret and does not only ask for the methods: with usual user
// names, it is too long for that.
func (a *authInference) attempts(turns []authTurn) bool {
	c, ask := a.sizes[dissect.FromClient], int(turns[0].ask)
	switch {
	case a.skipsNone:
		return c.most(ask) >= leastSecret
	case a.startsNone:
		return c.least(ask) > mostNone
	}
	return c.least(ask) > likelyNone
}

// lone reports whether the last request was refused although no size occurs again.
func (a *authInference) lone(turns []authTurn) bool {
	s, c := a.sizes[dissect.FromServer], a.sizes[dissect.FromClient]
	last := turns[len(turns)-1]
	x := int(last.answer)
	switch {
	case a.asksChannel(turns, len(turns)-1) && a.isShort(last.answer):
		return len(turns) > 2 || a.attempts(turns) // a client that may not open a channel is not logged in
	case !a.ended || a.methods(turns) != 0 || last.answers != 1:
		return false
	case len(turns) == 1: // a banner and the answer
		return a.pushesKeys && a.attempts(turns) // after a login the server would send its host keys
	case !s.one(x) || s.most(x) >= leastKey || a.isShort(last.answer) || a.opens(last):
		return false
	}
	return a.replies(last) || c.most(int(last.ask)) >= leastSecret && !a.asksForQuestion(turns)
}

// asksForQuestion reports whether the last request can be for keyboard-interactive, which is answered by a question: it
// is 24 bytes longer than "none".
func (a *authInference) asksForQuestion(turns []authTurn) bool {
	c := a.sizes[dissect.FromClient]
	last, none := int(turns[len(turns)-1].ask), int(turns[0].ask)
	if (last-c.rest())%passwordUnit == 0 && a.startsNone {
		return false
	}
	const longer = 24
	return last >= none+longer-c.block+1 && last <= none+longer+c.block-1
}
