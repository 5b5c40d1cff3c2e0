// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"
	"compress/gzip"
	"io"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/camera"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
)

// loginForm is the kind of a request with which a client of a camera opens a session. The result is in the body of the
// response.
type loginForm struct {
	kind  loginKind
	proof bool // a password or its hash was sent
}

type loginKind uint8

const (
	loginNone      loginKind = iota
	loginISAPI               // Hikvision: POST …/Security/sessionLogin
	loginChallenge           // Hikvision: GET …/Security/sessionLogin/capabilities
	loginRPC2                // Dahua: POST /RPC2_Login
)

// of sets the kind by the target of the request.
func (l *loginForm) of(target []byte) {
	path := target
	if i := bytes.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	path = bytes.TrimRight(path, "/")
	switch {
	case parse.FoldSuffix(path, "/security/sessionlogin"):
		l.kind = loginISAPI
	case parse.FoldSuffix(path, "/security/sessionlogin/capabilities"):
		l.kind = loginChallenge
	case parse.FoldSuffix(path, "/rpc2_login"):
		l.kind = loginRPC2
	}
}

// readLogin reads the body of such a request. It returns false if the body is no login.
func (c *credentials) readLogin(l *loginForm, body []byte) bool {
	var user, password []byte
	switch l.kind {
	case loginISAPI:
		user, password = isapiValue(body, "username"), isapiValue(body, "password")
		l.proof = len(password) > 0
	case loginRPC2:
		m := camera.ReadRPC(body)
		if !m.Login {
			l.kind = loginNone
			return false
		}
		user, password, l.proof = m.User, m.Password, m.HasProof()
	default:
		return false
	}
	*c = credentials{scheme: "session", userHint: logins.Hint(user), defaults: l.proof && logins.IsDefaultPair(user, password)}
	if l.proof && logins.Known(user) {
		c.user, c.sent, c.isapi = string(user), logins.ProofOf(password), l.kind == loginISAPI
	}
	return true
}

// isapiValue returns the value of an element in XML, or of a string or number in JSON, ignoring the case of its name.
func isapiValue(b []byte, name string) (value []byte) {
	if len(b) > 0 && b[0] == '{' {
		parse.JSONMembers(b, func(_ int, key, v []byte) {
			if value == nil && parse.FoldEqual(key, name) {
				value = v
			}
		})
		return value
	}
	return parse.Element(b, name)
}

// loginReply is what the body of a response says about a login.
type loginReply struct {
	status  int  // statusValue or statusCode of ISAPI
	session bool // the response opens a session, in the body or by a cookie
	rpc     camera.RPCMessage
	realm   string // of a challenge of RPC2
	random  string
	refused bool // a SOAP fault: the sender is not authorized
	isapi   isapiChallenge
}

func (p *loginReply) read(body []byte) {
	if len(body) == 0 {
		return
	}
	if body = bytes.TrimSpace(body); len(body) > 0 && body[0] == '{' {
		p.rpc = camera.ReadRPC(body)
		p.realm, p.random = p.rpc.Challenge()
		p.rpc.Detach()
	}
	p.status, _ = parse.Number(isapiValue(body, "statusvalue"))
	p.isapi.read(body)
	p.session = p.session || len(isapiValue(body, "sessionid")) > 0
	// ONVIF Core Specification, section 5.11.2; OASIS WS-Security, section 12.
	p.refused = parse.FoldContains(body, "notauthorized") || parse.FoldContains(body, "failedauthentication")
}

// wantsReply reports whether the result of a login or of an action, or what a device says of itself, is in the body of the response.
func (r *exchangeRequest) wantsReply() bool {
	return r.login.kind != loginNone || r.creds.scheme == "wsse" || r.call.NeedsReply()
}

// replyPeek returns how much of a response is searched for it.
func (p *exchangeResponse) replyPeek() int {
	switch p.status {
	case 200, 400, 401, 403, 500:
		for _, media := range [...]string{"image/", "video/", "audio/", "multipart/"} {
			if parse.FoldPrefix([]byte(p.contentType), media) {
				return 0
			}
		}
		return maxTextBody
	}
	return 0
}

// outcome returns the result of the login of an exchange.
func (r *exchangeRequest) outcome(p *exchangeResponse, a *authState) dissect.Outcome {
	switch {
	case r.creds.scheme == "session" && r.login.kind == loginRPC2:
		return p.reply.rpc.Outcome(r.login.proof)
	case r.creds.scheme == "session":
		return p.isapiOutcome(r.login.proof)
	case r.creds.scheme == "wsse":
		return r.wsseOutcome(p)
	}
	return a.outcome(&r.creds, p.status, &p.asked)
}

// isapiOutcome reads the response to sessionLogin. The number in the body equals the status, or comes with status 200.
func (p *exchangeResponse) isapiOutcome(proof bool) dissect.Outcome {
	switch code := p.reply.status; {
	case !proof:
	case p.status == 401, p.status == 200 && code == 401:
		return dissect.OutcomeFailure
	case p.status == 200 && (code == 200 || code == 0 && p.reply.session):
		return dissect.OutcomeSuccess
	}
	return dissect.OutcomeUnknown
}

// openOperations are the ONVIF operations that need no login (Core Specification, section 5.9.4.3): their success
// proves nothing.
var openOperations = [...]string{"getwsdlurl", "getservices", "getservicecapabilities", "getcapabilities", "gethostname", "getsystemdateandtime", "getendpointreference"}

func (r *exchangeRequest) wsseOutcome(p *exchangeResponse) dissect.Outcome {
	switch {
	case p.status >= 400 && p.reply.refused, p.status == 401 && !p.asked.any:
		return dissect.OutcomeFailure
	case p.status/100 != 2:
		return dissect.OutcomeUnknown
	}
	action := []byte(r.SOAPAction)
	if parse.IsOneOf(action[bytes.LastIndexByte(action, '/')+1:], openOperations[:]) {
		return dissect.OutcomeUnknown
	}
	return dissect.OutcomeSuccess
}

// plainBody decodes as much of a body as was read (RFC 9112 section 7.1, RFC 9110 section 8.4.1.3). It returns nil if
// the coding is not known.
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
	plain, _ := io.ReadAll(io.LimitReader(z, maxTextBody)) // what precedes an error is enough
	return plain
}

// unchunked returns the data of the chunks that were read.
func unchunked(body []byte) (out []byte) {
	for {
		line, rest, ok := parse.CutLine(body)
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
