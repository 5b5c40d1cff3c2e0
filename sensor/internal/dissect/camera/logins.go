// SPDX-License-Identifier: Apache-2.0

// Package camera reads the logins of the protocols of camera vendors, and recognizes their discovery.
package camera

import (
	"bytes"
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
)

// Headers of the protocols of camera vendors: their length, and the offset of the length of the message.
const (
	dhipHead, dhipSize   = 32, 16
	dvripHead, dvripSize = 32, 4
	xmHead, xmSize       = 20, 16
)

// maxCameraMessages bounds the messages of a stream that are read: logins are at its beginning, among keep-alives.
const maxCameraMessages = 64

// cameraStream reads the logins of a protocol whose messages have a header of fixed length, with the length of the
// message at a fixed offset.
type cameraStream struct {
	head, size int
	message    func(l *cameraLogins, dir int, head, body []byte, sink dissect.Sink)
	logins     cameraLogins
	pos, count [2]int
	stopped    [2]bool
}

func (c *cameraStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	for !c.stopped[dir] {
		pos := c.pos[dir]
		if len(head) < pos+c.head {
			break
		}
		b := head[pos:]
		size := binary.LittleEndian.Uint32(b[c.size:])
		end := pos + c.head + int(min(size, dissect.HeadLimit))
		switch {
		case end > dissect.HeadLimit || c.count[dir] == maxCameraMessages:
			c.stopped[dir] = true
			continue
		case len(head) < end && !final:
			return end
		}
		body := head[pos+c.head : min(end, len(head))]
		c.pos[dir] = end
		c.count[dir]++
		c.message(&c.logins, dir, b[:c.head], body, sink)
	}
	if final && dir == dissect.FromServer {
		c.logins.end(sink)
	}
	if c.stopped[dir] {
		return 0
	}
	return c.pos[dir] + c.head
}

// cameraLogins pairs logins with their answers, in whatever order the two directions arrive.
type cameraLogins struct {
	login    logins.Attempt
	waiting  [8]cameraLogin // logins without answer
	answers  [8]cameraAnswer
	asked    int // of waiting
	answered int // of answers
}

// cameraLogin is a login that waits for its answer, which repeats id.
type cameraLogin struct {
	id       uint32
	hint     string
	defaults bool
	clear    bool
	proof    bool // a password or a hash was sent
}

// cameraAnswer is an answer that waits for its login. plain is the result for a login without a proof.
type cameraAnswer struct {
	id           uint32
	proof, plain dissect.Outcome
}

func (l *cameraLogins) ask(c cameraLogin, sink dissect.Sink) {
	for i := range l.answered {
		if l.answers[i].id == c.id {
			a := l.answers[i]
			l.answered--
			copy(l.answers[i:], l.answers[i+1:])
			l.report(c, a, sink)
			return
		}
	}
	if l.asked < len(l.waiting) {
		l.waiting[l.asked] = c
		l.asked++
	}
}

func (l *cameraLogins) answer(a cameraAnswer, sink dissect.Sink) {
	for i := range l.asked {
		if l.waiting[i].id == a.id {
			c := l.waiting[i]
			l.asked--
			copy(l.waiting[i:], l.waiting[i+1:])
			l.report(c, a, sink)
			return
		}
	}
	if l.answered < len(l.answers) {
		l.answers[l.answered] = a
		l.answered++
	}
}

func (l *cameraLogins) report(c cameraLogin, a cameraAnswer, sink dissect.Sink) {
	result := a.plain
	if c.proof {
		result = a.proof
	}
	if result == dissect.OutcomeUnknown && !c.proof {
		return // a request for the challenge
	}
	l.login.Hint, l.login.Pending, l.login.Defaults, l.login.Clear = c.hint, true, c.defaults, c.clear
	l.login.Result(result, sink)
}

// end reports the logins that were not answered.
func (l *cameraLogins) end(sink dissect.Sink) {
	for _, c := range l.waiting[:l.asked] {
		l.report(c, cameraAnswer{}, sink)
	}
	l.asked = 0
}

// NewDHIP returns a dissector of DHIP.
func NewDHIP() dissect.Stream {
	return &cameraStream{head: dhipHead, size: dhipSize, message: (*cameraLogins).rpc, logins: cameraLogins{login: logins.Attempt{Protocol: "dhip"}}}
}

// rpc reads a message of DHIP, or of the JSON calls within DVRIP.
func (l *cameraLogins) rpc(dir int, _, body []byte, sink dissect.Sink) {
	m := ReadRPC(body)
	switch {
	case dir == dissect.FromClient && m.Login:
		proof := m.HasProof()
		l.ask(cameraLogin{uint32(m.id), logins.Hint(m.User), proof && logins.IsDefaultPair(m.User, m.Password), false, proof}, sink)
	case dir == dissect.FromServer && m.answered:
		l.answer(cameraAnswer{uint32(m.id), m.Outcome(true), m.Outcome(false)}, sink)
	}
}

// NewXMEye returns a dissector of XMEye.
func NewXMEye() dissect.Stream {
	return &cameraStream{head: xmHead, size: xmSize, message: (*cameraLogins).sofia, logins: cameraLogins{login: logins.Attempt{Protocol: "xmeye"}}}
}

// sofia reads a message of Xiongmai: 1000 is a login, 1001 its answer. The password is a short hash; the hashes of
// well-known passwords are among the defaults.
func (l *cameraLogins) sofia(dir int, head, body []byte, sink dissect.Sink) {
	const login, reply = 1000, 1001
	var user, password []byte
	code := 0
	parse.JSONMembers(body, func(_ int, key, value []byte) {
		switch {
		case parse.FoldEqual(key, "username"):
			user = value
		case parse.FoldEqual(key, "password"):
			password = value
		case parse.FoldEqual(key, "ret"):
			code, _ = parse.Number(value)
		}
	})
	switch message := binary.LittleEndian.Uint16(head[14:]); {
	case dir == dissect.FromClient && message == login:
		l.ask(cameraLogin{0, logins.Hint(user), logins.IsDefaultPair(user, password), false, true}, sink)
	case dir == dissect.FromServer && message == reply:
		o := sofiaOutcome(code)
		l.answer(cameraAnswer{0, o, o}, sink)
	}
}

func sofiaOutcome(code int) dissect.Outcome {
	switch code {
	case 100:
		return dissect.OutcomeSuccess
	case 106, 203, 205, 206: // wrong name or password, wrong password, no such user, locked
		return dissect.OutcomeFailure
	}
	return dissect.OutcomeUnknown
}

// NewDVRIP returns a dissector of DVRIP.
func NewDVRIP() dissect.Stream {
	return &cameraStream{head: dvripHead, size: dvripSize, message: (*cameraLogins).dvrip, logins: cameraLogins{login: logins.Attempt{Protocol: "dvrip"}}}
}

// dvrip reads a message of Dahua's binary protocol. a0 is a login with name and password in the header or behind it, or
// a request for the challenge; b0 answers it, with the result in bytes 8 and 9; f6 contains JSON.
func (l *cameraLogins) dvrip(dir int, head, body []byte, sink dissect.Sink) {
	const askChallenge = 1
	switch kind := head[0]; {
	case kind == 0xf6:
		l.rpc(dir, head, body, sink)
	case dir == dissect.FromClient && kind == 0xa0:
		user, password := dvripPair(head, body)
		proof := head[1] != askChallenge && len(user) > 0
		l.ask(cameraLogin{0, logins.Hint(user), proof && logins.IsDefaultPair(user, password), false, proof}, sink)
	case dir == dissect.FromServer && kind == 0xb0:
		o := dvripOutcome(head)
		if parse.FoldContains(body, "realm:") {
			o = dissect.OutcomeUnknown // the challenge
		}
		l.answer(cameraAnswer{0, o, dissect.OutcomeUnknown}, sink)
	}
}

// dvripPair returns the name and the hash: eight bytes each in the header, or behind it, separated by "&&".
func dvripPair(head, body []byte) (user, password []byte) {
	if user, password, ok := bytes.Cut(body, []byte("&&")); ok {
		return user, password
	}
	return bytes.TrimRight(head[8:16], "\x00"), bytes.TrimRight(head[16:24], "\x00")
}

func dvripOutcome(head []byte) dissect.Outcome {
	switch {
	case head[8] == 0:
		return dissect.OutcomeSuccess
	case head[8] == 1 && (head[9] == 0 || head[9] == 1 || head[9] == 4): // wrong password, no such user, locked
		return dissect.OutcomeFailure
	}
	return dissect.OutcomeUnknown
}
