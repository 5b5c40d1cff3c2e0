// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/intel"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

const (
	second = int64(1e9)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour

	daySeconds  = 24 * 60 * 60
	weekSeconds = 7 * daySeconds

	protoICMP  = 1
	protoTCP   = 6
	protoUDP   = 17
	protoICMP6 = 58
)

// addr returns the address of an endpoint as records write it.
func addr(e *session.Endpoint, v6 bool) netip.Addr {
	if v6 {
		return netip.AddrFrom16(e.Addr)
	}
	return e.Addr.Netip()
}

// Proto returns the name of an IP protocol as records and keys write it, or its number if it has no name here.
func Proto(p uint8) string {
	switch p {
	case protoICMP:
		return "icmp"
	case protoTCP:
		return "tcp"
	case protoUDP:
		return "udp"
	case protoICMP6:
		return "icmp6"
	case 132:
		return "sctp"
	}
	return strconv.Itoa(int(p))
}

// unicast reports whether the responder of a session is a single host: not a multicast or broadcast address, and not 0.0.0.0.
func unicast(v *session.View) bool {
	a := &v.Responder.Addr
	return !v.ToGroup() && *a != packet.Addr{} && (!a.Is4() || a[12] != 0)
}

// Originated reports whether a device was seen to open a unicast session with a SYN, a first datagram or an echo request. A datagram
// from a service port to an ephemeral one answers something that was not captured, and an ICMP error is an answer as well.
func Originated(e *Event) bool {
	v := e.Session
	if e.Initiator == nil || !v.Opened() || !unicast(v) {
		return false
	}
	switch v.Proto {
	case protoICMP, protoICMP6:
		return v.Basis == session.BasisRequest
	case protoUDP:
		return e.Opening == device.Opens && (v.Basis == session.BasisQUICInitial || v.Initiator.Port >= 1024 || v.Responder.Port < 1024)
	}
	return true
}

// verdict returns what the contract of the initiator allows for the session of e. It is evaluated once for all detectors.
func (c *Context) verdict(e *Event) contract.Verdict {
	if !c.isChecked {
		c.checked, c.isChecked = c.check(e), true
	}
	return c.checked
}

// check evaluates the session of e under each name that the initiator may mean by the address of the responder.
func (c *Context) check(e *Event) contract.Verdict {
	var names []string
	if c.Contracts.HasInventory() || c.Contracts.HasPolicies() || c.Contracts.Learner().Decides(e.Initiator) { // only these have names
		names = c.TrustedNames(e)
	}
	var v contract.Verdict
	for i := range max(len(names), 1) {
		name := ""
		if i < len(names) {
			name = names[i]
		}
		if v = c.Contracts.Check(e.Initiator, session.Out, e.Session, e.App, name, e.Responder, c.Now); v.Allowed {
			break
		}
	}
	return v
}

// TrustedNames returns the names of the responder that count for a contract: those under which this client looked up the address. The
// name that a client writes into its hello (SNI) must be one of them, because an intruder on the client can write any name. Without a
// DNS answer the certificate must confirm it. The hello alone counts only if the capture shows no lookups of this client at all.
func (c *Context) TrustedNames(e *Event) []string { return c.trustedNames(e, c.Now) }

// trustedNames returns the names that counted at a time.
func (c *Context) trustedNames(e *Event, now int64) []string {
	client, far := e.Session.Initiator.Addr.Netip(), e.Session.Responder.Addr.Netip()
	var reported []string
	asks := false
	if c.Names != nil {
		reported, asks = c.Names.Own(client, far, now), c.Names.Asks(client, now)
	}
	if e.App == nil || e.App.Hello == nil || e.App.Hello.SNI == "" {
		return reported
	}
	sni := e.App.Hello.SNI
	switch {
	case len(reported) > 0:
		if !slices.ContainsFunc(reported, func(n string) bool { return sameName(n, sni) }) {
			return nil
		}
	case asks && !certCovers(e.App.Cert, sni):
		return nil
	}
	return []string{sni}
}

// certCovers reports whether a certificate sent in clear text is valid for a name (RFC 6125: a wildcard stands for one label).
func certCovers(cert *dissect.TLSCertificate, name string) bool {
	if cert == nil || cert.SelfSigned {
		return false
	}
	_, parent, _ := strings.Cut(name, ".")
	return slices.ContainsFunc(cert.DNSNames, func(n string) bool {
		rest, wild := strings.CutPrefix(n, "*.")
		return sameName(n, name) || wild && parent != "" && sameName(rest, parent)
	})
}

// sameName compares two DNS names (RFC 4343).
func sameName(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// verdictFor returns what the contract of the device at one end allows: of the initiator (Out) or of the responder (In). That end must
// be a device.
func (c *Context) verdictFor(e *Event, dir session.Dir) contract.Verdict {
	if dir == session.Out {
		return c.verdict(e)
	}
	return c.inbound(e)
}

// inbound returns what the contract of the responder allows for the session of e.
func (c *Context) inbound(e *Event) contract.Verdict {
	return c.Contracts.Check(e.Responder, session.In, e.Session, e.App, "", e.Initiator, c.Now)
}

// expected reports whether an entry in the contract of the responder expects the session of e, so that a rule does not report it.
func (c *Context) expected(e *Event, rule string) bool {
	v := c.inbound(e)
	return v.Exempts(rule, c.critical(e))
}

// critical reports whether an end of the session of e is a critical device.
func (c *Context) critical(e *Event) bool {
	return c.Contracts.Critical(e.Responder) || c.Contracts.Critical(e.Initiator)
}

// failed reports whether a connection attempt has failed: it was refused, or ended without an answer. If the capture shows one
// direction only, a missing answer means nothing.
func (c *Context) failed(e *Event) bool {
	switch e.Session.State {
	case session.Rejected:
		return e.Kind == SessionState
	case session.Attempted:
		return e.Kind == SessionEnded && !c.Quality.OneWay
	}
	return false
}

// external reports whether an endpoint is outside the watched network.
func (c *Context) external(d *device.Device, a netip.Addr) bool {
	return d == nil && !c.Devices.Internal(a)
}

// strict reports whether an expectation was declared. That a device has merely been idle for days is weaker.
func strict(x contract.Expect, source string) bool {
	return x != contract.Normal && source != contract.FromIdle
}

// serviceKey returns the key of a peer and its port: "198.51.100.1:443/tcp".
func serviceKey(a netip.Addr, v *session.View) string {
	if !v.HasPorts {
		return a.String() + "/" + Proto(v.Proto)
	}
	return netip.AddrPortFrom(a, v.Responder.Port).String() + "/" + Proto(v.Proto)
}

// sessionFinding returns a finding about the session of e, to be completed by the detector. dir is Out if the device opened the
// session and In if it answered.
func (c *Context) sessionFinding(r Rule, e *Event, dir session.Dir) *Finding {
	v := e.Session
	self, other, mine, theirs := &v.Initiator, &v.Responder, e.Initiator, e.Responder
	if dir == session.In {
		self, other, mine, theirs = other, self, theirs, mine
	}
	p := &Peer{IP: addr(other, v.V6).String(), Device: theirs}
	p.External = c.external(theirs, addr(other, v.V6))
	if v.HasPorts && dir == session.Out {
		p.Port = other.Port
	}
	if name := c.ResponderName(e); dir == session.Out && name != "" {
		p.Name, p.NameSource = Clean(name, 253), "dns"
		if e.App != nil && e.App.Hello != nil && e.App.Hello.SNI == name {
			p.NameSource = "sni"
		}
	}
	if p.External {
		p.Listed = c.listedAs(addr(other, v.V6), p.Name)
	}
	kept := *v
	f := &Finding{
		Rule: r, Device: mine, DeviceAddr: addr(self, v.V6), Peer: p, Session: &kept, App: e.App, Start: v.Start, End: v.End,
		WindowS: daySeconds, Related: []string{session.CommunityID(v)}, Count: 1,
	}
	f.Entities = entities(f)
	return f
}

// listedAs returns the entry of an address or its name on the lists of threat intelligence, nil if there is none.
func (c *Context) listedAs(a netip.Addr, name string) *intel.Match {
	if m, ok := c.Intel.Address(a, c.Now); ok {
		return &m
	}
	if m, ok := c.Intel.Name(name, c.Now); ok {
		return &m
	}
	return nil
}

// entities returns the search keys of a finding: both endpoints, their names and fingerprints.
func entities(f *Finding) []string {
	var out []string
	add := func(kind, v string) {
		if v != "" {
			out = append(out, kind+":"+v)
		}
	}
	if f.DeviceAddr.IsValid() {
		add("ip", f.DeviceAddr.String())
	}
	if d := f.Device; d != nil {
		add("device", d.Key)
		if !d.MAC.IsZero() {
			add("mac", d.MAC.String())
		}
	}
	if p := f.Peer; p != nil {
		add("ip", p.IP)
		add("domain", p.Name)
		if p.Device != nil {
			add("device", p.Device.Key)
		}
	}
	if f.App != nil && f.App.Hello != nil {
		add("ja4", f.App.Hello.JA4)
	}
	if f.App != nil && f.App.SSH != nil {
		add("hassh", f.App.SSH.HASSH)
	}
	return out
}

// login is what a fact reports about a login.
type login struct {
	protocol string
	hint     string
	result   dissect.Outcome
	failures int  // total within the session if inferred, else 1 per failure
	inferred bool // from the sizes of encrypted packets
	defaults bool // with a well-known default name and password
	clear    bool // credentials in clear text
}

// account names the account as far as it is known: the protocol and the end of the user name.
func (l *login) account() string {
	if l.hint == "" {
		return l.protocol
	}
	return l.protocol + " " + l.hint
}

// loginOf reads a login from a fact. ok is false if the fact is about something else or the result is unknown.
func loginOf(f dissect.Fact) (l login, ok bool) {
	switch f := f.(type) {
	case *dissect.SSHAuth:
		return login{protocol: "ssh", result: f.Result, failures: f.Failures, inferred: true}, true
	case *dissect.HTTPExchange:
		l = login{"http", f.AuthUserHint, f.AuthResult, 0, false, f.DefaultCredentials, f.CleartextCredentials}
	case *dissect.RTSPExchange:
		l = login{"rtsp", f.AuthUserHint, f.AuthResult, 0, false, f.DefaultCredentials, f.CleartextCredentials}
	case *dissect.Login:
		l = login{f.Protocol, f.UserHint, f.Result, 0, false, f.DefaultCredentials, f.CleartextCredentials}
	default:
		return l, false
	}
	return l, l.result != dissect.OutcomeUnknown
}
