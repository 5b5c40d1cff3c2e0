// SPDX-License-Identifier: Apache-2.0

// Package fingerprint turns facts into fingerprint strings and banner matches.
package fingerprint

import "stillwatch/sensor/internal/dissect"

// App is what is known of the application side of one session: the facts that describe it, with their fingerprints. An App is
// never changed once it is shared: With gives a new one. Of a hello it keeps no ciphers, extensions, groups, formats and signature
// algorithms.
type App struct {
	Name        string // application protocol, "" if not known
	QUIC        bool   // the hello came inside QUIC
	Hello       *dissect.TLSClientHello
	ServerHello *dissect.TLSServerHello
	Cert        *dissect.TLSCertificate
	JA3, JA4    string
	JA3S        string
	SSHClient   string
	SSHServer   string
	HASSH       string
	HASSHServer string
	SSHAuth     *dissect.SSHAuth
	HTTP        *dissect.HTTPExchange // the first exchange
	RTSP        *dissect.RTSPExchange // the first exchange
	DNSQuery    *dissect.DNSMessage   // the first question
	DNSAnswer   *dissect.DNSMessage   // its answer
	Login       *dissect.Login        // the latest
	Banner      *dissect.Banner
}

// With gives an App that also knows f, a itself if f says nothing that an App keeps. a may be nil.
func (a *App) With(f dissect.Fact) *App {
	if a != nil && !a.takes(f) {
		return a
	}
	var n App
	if a != nil {
		n = *a
	}
	switch f := f.(type) {
	case *dissect.AppID:
		n.Name = f.Name
	case *dissect.TLSClientHello:
		n.QUIC = n.QUIC || f.QUIC
		n.Hello, n.JA3, n.JA4 = digest(f), JA3(f), JA4(f)
	case *dissect.TLSServerHello:
		n.ServerHello, n.JA3S = f, JA3S(f)
	case *dissect.TLSCertificate:
		if n.Cert == nil {
			n.Cert = f
		}
	case *dissect.QUICInitial:
		n.QUIC = true
	case *dissect.SSHBanner:
		if f.Server {
			n.SSHServer = f.Line
		} else {
			n.SSHClient = f.Line
		}
	case *dissect.SSHKexInit:
		if f.Server {
			n.HASSHServer = HASSHServer(f)
		} else {
			n.HASSH = HASSH(f)
		}
	case *dissect.SSHAuth:
		n.SSHAuth = f
	case *dissect.HTTPExchange:
		if f.Index == 0 {
			n.HTTP = f
		}
	case *dissect.RTSPExchange:
		if f.Index == 0 {
			n.RTSP = f
		}
	case *dissect.DNSMessage:
		if f.Response && n.DNSAnswer == nil {
			n.DNSAnswer = f
		} else if !f.Response && n.DNSQuery == nil {
			n.DNSQuery = f
		}
	case *dissect.Login:
		n.Login = f
	case *dissect.Banner:
		if n.Banner == nil {
			n.Banner = f
		}
	}
	return &n
}

// takes reports whether With would change a.
func (a *App) takes(f dissect.Fact) bool {
	switch f := f.(type) {
	case *dissect.AppID:
		return a.Name != f.Name
	case *dissect.TLSCertificate:
		return a.Cert == nil
	case *dissect.QUICInitial:
		return !a.QUIC
	case *dissect.HTTPExchange:
		return f.Index == 0
	case *dissect.RTSPExchange:
		return f.Index == 0
	case *dissect.DNSMessage:
		return f.Response && a.DNSAnswer == nil || !f.Response && a.DNSQuery == nil
	case *dissect.Banner:
		return a.Banner == nil
	case *dissect.TLSClientHello, *dissect.TLSServerHello, *dissect.SSHBanner, *dissect.SSHKexInit, *dissect.SSHAuth, *dissect.Login:
		return true
	}
	return false
}

// digest gives a hello without the lists that its fingerprints stand for: it is kept for as long as its session lives.
func digest(f *dissect.TLSClientHello) *dissect.TLSClientHello {
	h := *f
	h.Ciphers, h.Extensions, h.Groups, h.PointFormats, h.SigAlgs = nil, nil, nil, nil, nil
	return &h
}
