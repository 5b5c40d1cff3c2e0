// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

// httpRequest is a request that waits for its response.
type httpRequest struct {
	HTTPExchange
	creds   credentials
	login   loginForm
	framing httpFraming
	body    httpBodyKind
	encoded bool
	peek    int // bytes of the body that are looked at
	end     int // offset after the message, for CONNECT
}

// httpResponse is what is kept of a response.
type httpResponse struct {
	status                     int
	version                    string
	server, contentType, title string
	asked                      challenges
	encoded                    bool // the body is compressed
	framing                    httpFraming
	peek, end                  int
	reply                      loginReply
}

// httpBodyKind says what a request body is searched for.
type httpBodyKind uint8

const (
	bodyOther httpBodyKind = iota
	bodyForm
	bodyJSON
	bodyXML
)

func readHTTPRequest(m message) *httpRequest {
	r := new(httpRequest)
	method, rest := word(m.line)
	r.Method = httpMethod(method)
	target, version := bytes.TrimRight(rest, " "), []byte(nil)
	if i := bytes.LastIndex(target, []byte(" HTTP/")); i >= 0 {
		target, version = target[:i], target[i+len(" HTTP/"):]
	}
	r.Version = httpVersion(version)
	r.URI = maskURI(target)
	r.login.of(target)
	for name, value, ok := m.next(); ok; name, value, ok = m.next() {
		r.field(name, value)
	}
	if i := bytes.IndexByte(target, '?'); i >= 0 && r.creds.scheme == "" {
		r.creds.readForm(target[i+1:], false)
	}
	r.chooseBody()
	return r
}

// httpMethod, httpVersion and contentType give the text of what most messages have in common without a copy of it.
func httpMethod(b []byte) string {
	switch string(b) {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	case "HEAD":
		return "HEAD"
	}
	return cleanText(b, 24)
}

func httpVersion(b []byte) string {
	switch string(b) {
	case "1.1":
		return "1.1"
	case "1.0":
		return "1.0"
	}
	return cleanText(b, 3)
}

func contentType(b []byte) string {
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
	return cleanText(b, 128)
}

func (r *httpRequest) field(name, value []byte) {
	switch len(name) {
	case 4:
		if foldEqual(name, "host") {
			r.Host = maskTarget(value, 256)
		}
	case 10:
		switch {
		case foldEqual(name, "user-agent"):
			r.UserAgent = maskText(value, 256)
		case foldEqual(name, "soapaction"):
			r.SOAPAction = cleanText(bytes.Trim(value, `"`), 256)
		}
	case 12:
		if foldEqual(name, "content-type") {
			r.contentType(value)
		}
	case 13:
		if foldEqual(name, "authorization") {
			r.creds = readAuthorization(r.Method, value)
		}
	case 16:
		if foldEqual(name, "content-encoding") {
			r.encoded = !foldEqual(value, "identity")
		}
	default:
		r.framing.field(name, value)
	}
}

// contentType tells the kind of the body. SOAP 1.2 carries its action here (RFC 3902).
func (r *httpRequest) contentType(value []byte) {
	switch {
	case foldContains(value, "x-www-form-urlencoded"):
		r.body = bodyForm
	case foldContains(value, "json"):
		r.body = bodyJSON
	case foldContains(value, "xml"):
		r.body = bodyXML
	}
	if i := foldIndex(value, "action="); i >= 0 && r.SOAPAction == "" {
		action := value[i+len("action="):]
		if len(action) > 0 && action[0] == '"' {
			action, _ = quoted(action[1:])
		}
		r.SOAPAction = cleanText(action, 256)
	}
}

func (r *httpRequest) chooseBody() {
	hasBody := r.framing.length > 0 || r.framing.chunked
	if hasBody && (r.body != bodyOther || r.Method == "POST") {
		r.peek = maxTextBody
	}
}

// readBody looks for credentials in the body, and for the action of a SOAP message that does not name it elsewhere.
func (r *httpRequest) readBody(body []byte) {
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
	case kind == bodyOther && body[0] == '{':
		kind = bodyJSON
	case kind == bodyOther && body[0] == '<':
		kind = bodyXML
	}
	switch {
	case kind == bodyXML:
		r.readSOAP(body)
	case r.creds.scheme == "":
		r.creds.readForm(body, kind == bodyJSON)
	}
}

// readSOAP tells a WS-Security user name token (in clear or as a digest) and the first element of the body.
func (r *httpRequest) readSOAP(body []byte) {
	if r.creds.scheme == "" && bytes.Contains(body, []byte("UsernameToken")) {
		r.creds.scheme = "wsse"
		r.creds.cleartext = bytes.Contains(body, []byte("#PasswordText"))
	}
	if r.SOAPAction == "" {
		r.SOAPAction = soapOperation(body)
	}
}

// soapOperation is the local name of the first element within the body of a SOAP envelope.
func soapOperation(xml []byte) string {
	i := bytes.Index(xml, []byte("Body"))
	if i <= 0 || xml[i-1] != ':' && xml[i-1] != '<' {
		return ""
	}
	_, rest, _ := bytes.Cut(xml[i:], []byte(">"))
	rest = bytes.TrimLeft(rest, " \t\r\n")
	if len(rest) == 0 || rest[0] != '<' {
		return ""
	}
	name := rest[1:]
	if end := bytes.IndexAny(name, " \t\r\n/>"); end >= 0 {
		name = name[:end]
	}
	if c := bytes.LastIndexByte(name, ':'); c >= 0 {
		name = name[c+1:]
	}
	return cleanText(name, 64)
}

func readHTTPResponse(m message) *httpResponse {
	p := new(httpResponse)
	version, rest := word(m.line)
	p.version = httpVersion(bytes.TrimPrefix(version, []byte("HTTP/")))
	p.status, _ = number(rest)
	p.framing.toEnd = true
	for name, value, ok := m.next(); ok; name, value, ok = m.next() {
		switch {
		case foldEqual(name, "server"):
			p.server = cleanText(value, 256)
		case foldEqual(name, "content-type"):
			p.contentType = contentType(value)
		case foldEqual(name, "content-encoding"):
			p.encoded = !foldEqual(value, "identity")
		case foldEqual(name, "www-authenticate"):
			p.asked.read(value)
		case foldEqual(name, "set-cookie"):
			p.reply.session = p.reply.session || foldContains(value, "session")
		default:
			p.framing.field(name, value)
		}
	}
	if !p.encoded && foldContains([]byte(p.contentType), "html") {
		p.peek = maxTextBody
	}
	return p
}

// field reads a header that says how long the body is. Transfer-Encoding overrides Content-Length (RFC 9112 section
// 6.3).
func (f *httpFraming) field(name, value []byte) {
	switch {
	case foldEqual(name, "content-length"):
		if n, ok := number(value); ok {
			f.length, f.toEnd = n, false
		}
	case foldEqual(name, "transfer-encoding"):
		if foldContains(value, "chunked") {
			f.chunked, f.toEnd = true, false
		}
	}
}

// fact gives the exchange as far as it is known; p is nil if the response was not seen yet.
func (r *httpRequest) fact(p *httpResponse, a *authMemory) *HTTPExchange {
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
	e.Realm, e.Title = p.asked.realm, p.title
	e.AuthResult = r.outcome(p, a)
	return &e
}
