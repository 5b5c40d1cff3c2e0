// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"
	"cmp"
	"strings"
	"sync"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/camera/web"
	"stillwatch/sensor/internal/dissect/mask"
	"stillwatch/sensor/internal/dissect/parse"
)

// exchangeRequest is a request that waits for its response.
type exchangeRequest struct {
	dissect.HTTPExchange
	creds    credentials
	login    loginForm
	call     *web.Call // nil: asks nothing of a camera
	exploit  *exploit  // the shape that the request line fits
	injected bool      // the request line has a separator of the shell
	framing  framing
	body     bodyKind
	encoded  bool
	cookie   uint64              // of RTSP over HTTP; 0: none
	peek     int                 // bytes of the body that are searched
	end      int                 // offset after the message, for CONNECT
	sender   *dissect.DeviceInfo // of an NTLM message
}

// exchangeResponse is what is kept of a response.
type exchangeResponse struct {
	status                     int
	version                    string
	server, contentType, title string
	asked                      challenges
	encoded                    bool // the body is compressed
	framing                    framing
	peek, end                  int
	magic                      bool // the first bytes of the body tell whether it is a program
	program                    string
	reply                      loginReply
	device                     *web.Reply          // nil: the body was not read
	sender, self               *dissect.DeviceInfo // of an NTLM message, of a description in the body
}

// Requests and responses are reused once their exchange is reported: facts are copies. Clearing them also drops what they hold of credentials.
var (
	requestPool  = sync.Pool{New: func() any { return new(exchangeRequest) }}
	responsePool = sync.Pool{New: func() any { return new(exchangeResponse) }}
)

func (r *exchangeRequest) release() {
	*r = exchangeRequest{}
	requestPool.Put(r)
}

func (p *exchangeResponse) release() {
	*p = exchangeResponse{}
	responsePool.Put(p)
}

// bodyKind is what a request body is searched for.
type bodyKind uint8

const (
	bodyOther bodyKind = iota
	bodyForm
	bodyJSON
	bodyXML
)

func readHTTPRequest(m message) *exchangeRequest {
	r := requestPool.Get().(*exchangeRequest)
	method, rest := parse.Word(m.line)
	r.Method = methodText(method)
	target, version := bytes.TrimRight(rest, " "), []byte(nil)
	if i := bytes.LastIndex(target, []byte(" HTTP/")); i >= 0 {
		target, version = target[:i], target[i+len(" HTTP/"):]
	}
	r.Version = versionText(version)
	r.URI = mask.URI(target)
	r.login.of(target)
	r.call = web.Find(r.Method, target, nil)
	r.exploit, r.injected = exploitOf(r.Method, target)
	for name, value, ok := m.next(); ok; name, value, ok = m.next() {
		r.field(name, value)
	}
	if i := bytes.IndexByte(target, '?'); i >= 0 && r.creds.scheme == "" && !r.call.ChangesUsers() {
		r.creds.readForm(target[i+1:], false)
	}
	r.chooseBody()
	return r
}

// methodText, versionText and contentTypeText return the text of the most common values without copying them.
func methodText(b []byte) string {
	switch string(b) {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	case "HEAD":
		return "HEAD"
	}
	return parse.CleanText(b, 24)
}

func versionText(b []byte) string {
	switch string(b) {
	case "1.1":
		return "1.1"
	case "1.0":
		return "1.0"
	}
	return parse.CleanText(b, 3)
}

func contentTypeText(b []byte) string {
	switch string(b) {
	case "text/html":
		return "text/html"
	case "text/html; charset=utf-8":
		return "text/html; charset=utf-8"
	case "application/json":
		return "application/json"
	case "text/plain":
		return "text/plain"
	}
	return parse.CleanText(b, 128)
}

func (r *exchangeRequest) field(name, value []byte) {
	switch len(name) {
	case 4:
		if parse.FoldEqual(name, "host") {
			r.Host = mask.Target(value, 256)
		}
	case 10:
		switch {
		case parse.FoldEqual(name, "user-agent"):
			r.UserAgent = mask.Text(value, 256)
		case parse.FoldEqual(name, "soapaction"):
			r.SOAPAction = parse.CleanText(bytes.Trim(value, `"`), 256)
		}
	case 12:
		if parse.FoldEqual(name, "content-type") {
			r.contentType(value)
		}
	case 13:
		if parse.FoldEqual(name, "authorization") {
			r.creds, r.sender = readAuthorization(r.Method, value), tokenInfo(value)
		}
	case 15:
		if parse.FoldEqual(name, "x-sessioncookie") {
			r.cookie = rtspCookie(value)
		}
	case 16:
		if parse.FoldEqual(name, "content-encoding") {
			r.encoded = !parse.FoldEqual(value, "identity")
		}
	default:
		r.framing.field(name, value)
	}
}

// contentType notes the kind of the body. SOAP 1.2 has its action here (RFC 3902).
func (r *exchangeRequest) contentType(value []byte) {
	switch {
	case parse.FoldContains(value, "x-www-form-urlencoded"):
		r.body = bodyForm
	case parse.FoldContains(value, "json"):
		r.body = bodyJSON
	case parse.FoldContains(value, "xml"):
		r.body = bodyXML
	}
	if i := parse.FoldIndex(value, "action="); i >= 0 && r.SOAPAction == "" {
		action := value[i+len("action="):]
		if len(action) > 0 && action[0] == '"' {
			action, _ = parse.Quoted(action[1:])
		}
		r.SOAPAction = parse.CleanText(action, 256)
	}
}

func (r *exchangeRequest) chooseBody() {
	if r.cookie != 0 {
		return
	}
	hasBody := r.framing.length > 0 || r.framing.chunked
	if hasBody && (r.body != bodyOther || r.Method == "POST" || r.exploit != nil) {
		r.peek = maxTextBody
	}
}

// readBody looks for credentials in the body, for the action of a SOAP message that is not in a header, and for what a camera is asked to do.
func (r *exchangeRequest) readBody(body []byte) {
	if c := web.FindSOAP(nil, r.SOAPAction); c.Known() {
		r.call = c
	}
	if r.peek == 0 {
		return
	}
	if body = bytes.TrimSpace(plainBody(body, r.framing.chunked, r.encoded)); len(body) == 0 {
		return
	}
	if r.creds.readLogin(&r.login, body) {
		return
	}
	kind := r.body
	switch {
	case kind != bodyXML && body[0] == '{': // RPC2 has the type of a form
		kind = bodyJSON
	case kind == bodyOther && body[0] == '<':
		kind = bodyXML
	}
	switch {
	case kind == bodyXML:
		r.readSOAP(body)
	case kind == bodyJSON:
		r.call.ReadJSON(body)
	case kind == bodyForm && web.HasForm(r.URI):
		if c := web.Find(r.Method, []byte(r.URI), body); c.Known() {
			r.call = c
		}
	}
	if kind == bodyXML || r.creds.scheme != "" || r.call.ChangesUsers() || kind == bodyJSON && r.call.Known() {
		return // the parameters of an action are no login
	}
	r.creds.readForm(body, kind == bodyJSON)
}

// readSOAP notes a WS-Security user name token (in clear text or as a digest) and the first element of the body.
func (r *exchangeRequest) readSOAP(body []byte) {
	if r.creds.scheme == "" && bytes.Contains(body, []byte("UsernameToken")) {
		r.creds.readToken(body)
	}
	if c := web.FindSOAP(body, r.SOAPAction); c.Known() {
		r.call = c
	}
	if r.SOAPAction == "" {
		_, operation := web.SOAPOperation(body)
		r.SOAPAction = parse.CleanText(operation, 64)
	}
}

func readHTTPResponse(m message) *exchangeResponse {
	p := responsePool.Get().(*exchangeResponse)
	version, rest := parse.Word(m.line)
	p.version = versionText(bytes.TrimPrefix(version, []byte("HTTP/")))
	p.status, _ = parse.Number(rest)
	p.framing.toEnd = true
	for name, value, ok := m.next(); ok; name, value, ok = m.next() {
		switch {
		case parse.FoldEqual(name, "server"):
			p.server = parse.CleanText(value, 256)
		case parse.FoldEqual(name, "content-type"):
			p.contentType = contentTypeText(value)
		case parse.FoldEqual(name, "content-encoding"):
			p.encoded = !parse.FoldEqual(value, "identity")
		case parse.FoldEqual(name, "www-authenticate"):
			p.asked.read(value)
			p.sender = cmp.Or(p.sender, tokenInfo(value))
		case parse.FoldEqual(name, "set-cookie"):
			p.reply.session = p.reply.session || parse.FoldContains(value, "session")
		default:
			p.framing.field(name, value)
		}
	}
	switch {
	case p.encoded:
	case parse.FoldContains([]byte(p.contentType), "html"):
		p.peek = maxTextBody
	case p.status == 200 && mayBeProgram(p.contentType):
		p.magic = true
		p.peek = max(p.peek, magicLen)
	}
	return p
}

// field reads a header about the length of the body. Transfer-Encoding overrides Content-Length (RFC 9112 section 6.3).
func (f *framing) field(name, value []byte) {
	switch {
	case parse.FoldEqual(name, "content-length"):
		if n, ok := parse.Number(value); ok {
			f.length, f.toEnd = n, false
		}
	case parse.FoldEqual(name, "transfer-encoding"):
		if parse.FoldContains(value, "chunked") {
			f.chunked, f.toEnd = true, false
		}
	}
}

// fact returns the exchange as far as it is known. p is nil if the response was not seen yet.
func (r *exchangeRequest) fact(p *exchangeResponse, a *authState) *dissect.HTTPExchange {
	e := r.HTTPExchange
	e.AuthScheme, e.AuthUserHint = r.creds.scheme, r.creds.userHint
	e.DefaultCredentials, e.CleartextCredentials = r.creds.defaults, r.creds.cleartext
	if p == nil {
		return &e
	}
	if e.Version == "" {
		e.Version = p.version
	}
	e.Status, e.Server, e.ContentType = p.status, p.server, p.contentType
	e.Realm, e.Title, e.Program = p.asked.realm, p.title, p.program
	e.AuthResult = r.outcome(p, a)
	e.DefaultCredentials = a.isDefault(&r.creds, e.AuthResult)
	if p.reply.random != "" {
		a.realm, a.random = p.reply.realm, p.reply.random
	}
	if r.login.kind == loginChallenge && p.status == 200 {
		a.isapi = p.reply.isapi
	}
	return &e
}

// magicLen is how many bytes of a body are enough for programOf, also behind the size of a chunk.
const magicLen = 16

// mayBeProgram reports whether a body of a media type may be a program or a script: servers of intruders set no type, or a general one.
func mayBeProgram(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	return t == "" || t == "text/plain" || strings.HasPrefix(t, "application/octet") || strings.HasPrefix(t, "application/x-") || strings.HasPrefix(t, "text/x-")
}

// programOf returns the kind of a program by its first bytes: the magic numbers of ELF and of DOS and Windows programs, or the first line of a
// script (execve(2)).
func programOf(body []byte) string {
	switch {
	case bytes.HasPrefix(body, []byte("\x7fELF")):
		return "elf"
	case bytes.HasPrefix(body, []byte("#!/")):
		return "script"
	case bytes.HasPrefix(body, []byte("MZ")):
		return "pe"
	}
	return ""
}
