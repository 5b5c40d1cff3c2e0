// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"compress/gzip"
	"io"
)

// loginForm is the kind of a request by which a client of a camera gets a session. The answer in the body says how it ended.
type loginForm struct {
	kind  loginKind
	proof bool // a password or its hash was sent
}

type loginKind uint8

const (
	loginNone  loginKind = iota
	loginISAPI           // Hikvision: POST …/Security/sessionLogin
	loginRPC2            // Dahua: POST /RPC2_Login
)

// of tells the kind by the target of the request.
func (l *loginForm) of(target []byte) {
	path := target
	if i := bytes.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	path = bytes.TrimRight(path, "/")
	switch {
	case foldEnds(path, "/security/sessionlogin"):
		l.kind = loginISAPI
	case foldEnds(path, "/rpc2_login"):
		l.kind = loginRPC2
	}
}

// readLogin reads the body of such a request; false if it is none.
func (c *credentials) readLogin(l *loginForm, body []byte) bool {
	var user, password []byte
	switch l.kind {
	case loginISAPI:
		user, password = isapiValue(body, "username"), isapiValue(body, "password")
		l.proof = len(password) > 0
	case loginRPC2:
		m := readRPC(body)
		if !m.login {
			l.kind = loginNone
			return false
		}
		user, password, l.proof = m.user, m.password, m.hasProof()
	default:
		return false
	}
	*c = credentials{scheme: "session", userHint: userHint(user), defaults: l.proof && isDefaultPair(user, password)}
	return true
}

// isapiValue is the value of an element in XML or of a string or number in JSON, whatever the case of its name.
func isapiValue(b []byte, name string) (value []byte) {
	if len(b) > 0 && b[0] == '{' {
		jsonMembers(b, func(_ int, key, v []byte) {
			if value == nil && foldEqual(key, name) {
				value = v
			}
		})
		return value
	}
	for {
		i := foldIndex(b, name)
		if i < 0 {
			return nil
		}
		before := b[:i]
		b = b[i+len(name):]
		if len(before) == 0 || before[len(before)-1] != '<' && before[len(before)-1] != ':' {
			continue
		}
		if end := bytes.IndexByte(b, '>'); end == 0 || end > 0 && b[0] == ' ' {
			value, _, _ = bytes.Cut(b[end+1:], []byte("<"))
			return bytes.TrimSpace(value)
		}
	}
}

// loginReply is what the body of a response says of a login.
type loginReply struct {
	status  int  // statusValue or statusCode of ISAPI
	session bool // a session was given, in the body or as a cookie
	rpc     rpcMessage
	refused bool // a SOAP fault says that the sender is not authorised
}

func (p *loginReply) read(body []byte) {
	if len(body) == 0 {
		return
	}
	if body = bytes.TrimSpace(body); len(body) > 0 && body[0] == '{' {
		p.rpc = readRPC(body)
		p.rpc.user, p.rpc.password = nil, nil
	}
	p.status, _ = number(isapiValue(body, "statusvalue"))
	p.session = p.session || len(isapiValue(body, "sessionid")) > 0
	// ONVIF Core Specification, section 5.11.2; OASIS WS-Security, section 12.
	p.refused = foldContains(body, "notauthorized") || foldContains(body, "failedauthentication")
}

// wantsReply reports whether the body of the response says how a login ended.
func (r *httpRequest) wantsReply() bool { return r.login.kind != loginNone || r.creds.scheme == "wsse" }

// replyPeek is how much of a response is looked at for the end of a login.
func (p *httpResponse) replyPeek() int {
	switch p.status {
	case 200, 400, 401, 403, 500:
		for _, media := range [...]string{"image/", "video/", "audio/", "multipart/"} {
			if foldPrefix([]byte(p.contentType), media) {
				return 0
			}
		}
		return maxTextBody
	}
	return 0
}

// outcome says how the login of an exchange ended.
func (r *httpRequest) outcome(p *httpResponse, a *authMemory) Outcome {
	switch {
	case r.creds.scheme == "session" && r.login.kind == loginRPC2:
		return p.reply.rpc.outcome(r.login.proof)
	case r.creds.scheme == "session":
		return p.isapiOutcome(r.login.proof)
	case r.creds.scheme == "wsse":
		return r.wsseOutcome(p)
	}
	return a.outcome(&r.creds, p.status, &p.asked)
}

// isapiOutcome reads the answer to sessionLogin: the number in the body is the same as the status, or stands behind a 200.
func (p *httpResponse) isapiOutcome(proof bool) Outcome {
	switch said := p.reply.status; {
	case !proof:
	case p.status == 401, p.status == 200 && said == 401:
		return OutcomeFailure
	case p.status == 200 && (said == 200 || said == 0 && p.reply.session):
		return OutcomeSuccess
	}
	return OutcomeUnknown
}

// openOperations are the operations of ONVIF that need no login (Core Specification, section 5.9.4.3): a success says nothing.
var openOperations = [...]string{"getwsdlurl", "getservices", "getservicecapabilities", "getcapabilities", "gethostname", "getsystemdateandtime", "getendpointreference"}

func (r *httpRequest) wsseOutcome(p *httpResponse) Outcome {
	switch {
	case p.status >= 400 && p.reply.refused, p.status == 401 && !p.asked.any:
		return OutcomeFailure
	case p.status/100 != 2:
		return OutcomeUnknown
	}
	action := []byte(r.SOAPAction)
	if isOneOf(action[bytes.LastIndexByte(action, '/')+1:], openOperations[:]) {
		return OutcomeUnknown
	}
	return OutcomeSuccess
}

// plainBody undoes the coding of as much of a body as was read (RFC 9112 section 7.1, RFC 9110 section 8.4.1.3); nil for a coding that is
// not known.
func plainBody(body []byte, chunked, encoded bool) []byte {
	if chunked {
		body = unchunked(body)
	}
	if !encoded {
		return body
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil
	}
	plain, _ := io.ReadAll(io.LimitReader(z, maxTextBody)) // what comes before an error is enough
	return plain
}

// unchunked gives the data of the chunks, as far as they were read.
func unchunked(body []byte) (out []byte) {
	for {
		line, rest, ok := cutLine(body)
		if !ok {
			return out
		}
		size, ok := chunkSize(line)
		if !ok || size == 0 {
			return out
		}
		n := min(size, len(rest))
		out = append(out, rest[:n]...)
		body = rest[n:]
		if len(body) >= 2 {
			body = body[2:]
		}
	}
}
