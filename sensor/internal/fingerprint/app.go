// SPDX-License-Identifier: Apache-2.0

// Package fingerprint turns facts into fingerprint strings, and matches TCP/IP stacks with signatures of p0f.
package fingerprint

import "stillwatch/sensor/internal/dissect"

// App is what is known about the application of one session: the facts that describe it, with their fingerprints. It is
// immutable once it is shared: With returns a new one. That is why it is kept small.
type App struct {
	Name        string // application protocol, "" if not known
	Hello       *Hello
	ServerHello *ServerHello
	Cert        *dissect.TLSCertificate
	SSH         *SSH
	HTTP        *dissect.HTTPExchange // the first exchange
	RTSP        *dissect.RTSPExchange // the first exchange
	DNSQuery    *dissect.DNSMessage   // the first question
	DNSAnswer   *dissect.DNSMessage   // its answer
	Announcer   string                // Community ID of the session that announced this one, "" if none did
}

// QUIC reports whether the hello came inside QUIC. A session that is named so has no other hello.
func (a *App) QUIC() bool { return a.Name == "quic" }

// Hello is what is kept of a client's hello for the lifetime of its session. The lists behind the fingerprints are not
// kept.
type Hello struct {
	SNI           string
	ALPN          []string
	JA3, JA4, NPF string
}

// ServerHello is what is kept of a server's hello.
type ServerHello struct {
	SSL2    bool
	Version uint16 // the negotiated one
	JA3S    string
	NPF     string
}

// VersionName returns the name of the negotiated version. Drafts of TLS 1.3 (RFC 8446, 0x7fxx) count as 1.3.
func (h *ServerHello) VersionName() string {
	if h.SSL2 {
		return "ssl2"
	}
	switch v := h.Version; {
	case v == 0x0300:
		return "ssl3"
	case v == 0x0301:
		return "1.0"
	case v == 0x0302:
		return "1.1"
	case v == 0x0303:
		return "1.2"
	case v == 0x0304 || v>>8 == 0x7f:
		return "1.3"
	case v == 0xfeff:
		return "dtls1.0"
	case v == 0xfefd:
		return "dtls1.2"
	case v == 0xfefc:
		return "dtls1.3"
	}
	return ""
}

// SSH is what both ends of an SSH session say about themselves.
type SSH struct {
	Client, Server     string // identification lines
	HASSH, HASSHServer string
	NPF, NPFServer     string
	Auth               *dissect.SSHAuth
}

// With returns an App that also contains f, or a itself if f adds nothing that an App keeps. a may be nil.
func (a *App) With(f dissect.Fact) *App {
	if a == nil {
		a = new(App)
	}
	if !a.takes(f) {
		return a
	}
	n := new(App)
	*n = *a
	switch f := f.(type) {
	case *dissect.AppID:
		n.Name = f.Name
	case *dissect.TLSClientHello:
		p := printsOf(f)
		n.Hello = &Hello{SNI: f.SNI, ALPN: f.ALPN, JA3: p.ja3, JA4: p.ja4, NPF: p.npf}
	case *dissect.TLSServerHello:
		n.ServerHello = serverHelloOf(f)
	case *dissect.TLSCertificate:
		n.Cert = f
	case *dissect.SSHBanner, *dissect.SSHKexInit, *dissect.SSHAuth:
		n.SSH = n.SSH.with(f)
	case *dissect.HTTPExchange:
		n.HTTP = f
	case *dissect.RTSPExchange:
		n.RTSP = f
	case *dissect.DNSMessage:
		if f.Response {
			n.DNSAnswer = f
		} else {
			n.DNSQuery = f
		}
	}
	return n
}

// AnnouncedBy returns an App of a session that another one, with this Community ID, has announced under a name. The name that its bytes
// have shown counts more. a may be nil.
func (a *App) AnnouncedBy(id, name string) *App {
	n := new(App)
	if a != nil {
		*n = *a
	}
	n.Announcer = id
	if n.Name == "" {
		n.Name = name
	}
	return n
}

// takes reports whether With would change a.
func (a *App) takes(f dissect.Fact) bool {
	switch f := f.(type) {
	case *dissect.AppID:
		return a.Name != f.Name
	case *dissect.TLSCertificate:
		return a.Cert == nil
	case *dissect.HTTPExchange:
		return f.Index == 0
	case *dissect.RTSPExchange:
		return f.Index == 0
	case *dissect.DNSMessage:
		return f.Response && a.DNSAnswer == nil || !f.Response && a.DNSQuery == nil
	case *dissect.TLSClientHello, *dissect.TLSServerHello, *dissect.SSHBanner, *dissect.SSHKexInit, *dissect.SSHAuth:
		return true
	}
	return false
}

// with returns an SSH that also contains f. s may be nil.
func (s *SSH) with(f dissect.Fact) *SSH {
	n := new(SSH)
	if s != nil {
		*n = *s
	}
	switch f := f.(type) {
	case *dissect.SSHBanner:
		if f.Server {
			n.Server = f.Line
		} else {
			n.Client = f.Line
		}
	case *dissect.SSHKexInit:
		if f.Server {
			n.HASSHServer, n.NPFServer = HASSHServer(f), NPFSSH(n.Server, f)
		} else {
			n.HASSH, n.NPF = HASSH(f), NPFSSH(n.Client, f)
		}
	case *dissect.SSHAuth:
		n.Auth = f
	}
	return n
}
