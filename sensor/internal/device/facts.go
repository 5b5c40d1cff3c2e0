// SPDX-License-Identifier: Apache-2.0

package device

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/session"
)

// Fact weighs a fact that was read from a session. initiator and responder are the results of Session; either may be nil. dir is the
// direction of the bytes that the fact was read from.
func (r *Registry) Fact(v *session.View, f dissect.Fact, dir session.Dir, initiator, responder *Device, now int64) {
	switch m := f.(type) {
	case *dissect.DHCPMessage:
		r.dhcp(v, m, now)
		return
	case *dissect.DHCPv6Message:
		r.lease6(v, m, dir, now)
	case *dissect.DNSMessage:
		r.sameName(v, m, dir, now)
	}
	r.fact(v, f, dir, initiator, responder, now)
	a, b := r.partAt(v.Initiator.Addr, initiator), r.partAt(v.Responder.Addr, responder)
	if a != nil || b != nil {
		r.fact(v, f, dir, a, b, now)
	}
}

func (r *Registry) fact(v *session.View, f dissect.Fact, dir session.Dir, initiator, responder *Device, now int64) {
	speaker := initiator
	if dir == session.In {
		speaker = responder
	}
	switch f := f.(type) {
	case *dissect.DHCPv6Message:
		r.dhcpv6(f, speaker, now)
	case *dissect.ServiceAnnouncement:
		r.service(f, speaker, now)
	case *dissect.DNSMessage:
		switch {
		case !f.Response && !f.MDNS && !f.LLMNR:
			r.name(initiator, f.QName, now)
		case f.Response && (f.MDNS || f.LLMNR):
			ownNames(f, speaker)
		}
	case *dissect.TLSClientHello:
		r.name(initiator, f.SNI, now)
	case *dissect.TLSCertificate:
		r.say(responder, evidence.Certificate, f.Subject, now)
		r.mudURL(speaker, f.MUDURL, now)
	case *dissect.SSHBanner:
		if f.Server {
			r.say(responder, evidence.SSHServer, f.Line, now)
		} else {
			r.say(initiator, evidence.SSHClient, f.Line, now)
		}
	case *dissect.HTTPExchange:
		r.http(f, initiator, responder, now)
	case *dissect.RTSPExchange:
		r.rtsp(v, f, initiator, responder, now)
	case *dissect.MediaDescription:
		r.mediaDescription(f, initiator, responder, now)
	case *dissect.MediaFlow:
		if dir == session.In {
			r.mediaFlow(f, v.Responder.Addr, initiator, now)
		} else {
			r.mediaFlow(f, v.Initiator.Addr, responder, now)
		}
	case *dissect.DeviceInfo:
		if f.Protocol == "nbns" && f.IP.IsValid() && (speaker == nil || !speaker.HasIP(f.IP)) {
			break // a name server answers for others
		}
		if isAnswer(v, f, dir) {
			if f.Protocol != "ntlm" { // of NTLM both sides say who they are
				speaker = responder
			}
			r.describedItself(f, speaker, now)
		} else {
			r.discovered(f, speaker, now)
		}
	case *dissect.DeviceAction:
		if f.Kind == dissect.ActionView && f.Result == dissect.OutcomeSuccess {
			r.pullsFrom(initiator, v.Responder.Addr, now)
		}
	case *dissect.Banner:
		if f.Client {
			r.say(initiator, evidence.Banner, f.Protocol+" client: "+f.Text, now)
		} else {
			r.say(responder, evidence.Banner, f.Protocol+": "+f.Text, now)
		}
	}
}

// say is observe for a device that may be nil.
func (r *Registry) say(d *Device, src evidence.Source, value string, now int64) {
	if d != nil {
		r.observe(d, src, value, now)
	}
}

func (r *Registry) http(f *dissect.HTTPExchange, client, server *Device, now int64) {
	r.say(client, evidence.UserAgent, f.UserAgent, now)
	r.name(client, host(f.Host), now)
	r.say(client, evidence.HTTPRequest, f.Host+f.URI, now)
	r.say(server, evidence.HTTPServer, f.Server, now)
	r.say(server, evidence.HTTPRealm, f.Realm, now)
	r.say(server, evidence.HTTPTitle, f.Title, now)
	if f.Status >= 200 && f.Status < 300 || f.Status == 401 {
		r.say(server, evidence.HTTPURI, f.URI, now)
	}
}

// ownNames records the names that a host gives its own addresses in an answer or an announcement of mDNS or LLMNR.
func ownNames(m *dissect.DNSMessage, d *Device) {
	if d == nil {
		return
	}
	for i := range m.Answers {
		if a := &m.Answers[i]; a.Addr.IsValid() && d.HasIP(a.Addr) {
			d.addHostname(evidence.Clean(strings.TrimSuffix(strings.TrimSuffix(a.Name, "."), ".local")))
		}
	}
}

// host returns the name of a Host header without its port, "" for an address.
func host(s string) string {
	name, _, _ := strings.Cut(s, ":")
	if name == "" || strings.Trim(name, "0123456789.") == "" {
		return ""
	}
	return name
}

func (r *Registry) rtsp(v *session.View, f *dissect.RTSPExchange, client, server *Device, now int64) {
	r.say(server, evidence.RTSPServer, f.Server, now)
	r.say(server, evidence.RTSPRealm, f.Realm, now)
	r.say(client, evidence.UserAgent, f.UserAgent, now)
	if f.Status != 200 {
		return
	}
	if v.Responder.Port == 554 {
		r.say(server, evidence.Serves, "rtsp answers 200 on 554", now)
	}
	if f.Method == "PLAY" || f.Method == "SETUP" || f.Method == "DESCRIBE" {
		r.pullsFrom(client, v.Responder.Addr, now)
	}
}

// name weighs a name that a device looked up or connected to. The number of different domains, by linear counting over 64 bits, tells
// general-purpose computers from devices with one purpose.
func (r *Registry) name(d *Device, name string, now int64) {
	if d == nil || name == "" {
		return
	}
	name = strings.TrimSuffix(name, ".")
	if !strings.HasSuffix(name, ".arpa") && !strings.HasSuffix(name, ".local") {
		d.names |= 1 << (fnv(registered(name)) & 63)
		if bits.OnesCount64(d.names) >= manyNames {
			r.observe(d, evidence.ManyNames, "asks for more than 40 domains", now)
		}
	}
	r.observe(d, evidence.Name, name, now)
}

// manyNames is the number of bits, of 64, that are set after some 40 different domains.
const manyNames = 30

// registered returns the last two labels of a name, which is close enough to the registered domain for counting.
func registered(name string) string {
	dots := 0
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			if dots++; dots == 2 {
				return name[i+1:]
			}
		}
	}
	return name
}

// fnv returns the FNV-1a hash, with the upper half folded into the lower.
func fnv(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h ^ h>>32
}

// service weighs a service that a device announces, and the keys of its TXT record.
func (r *Registry) service(f *dissect.ServiceAnnouncement, d *Device, now int64) {
	if d == nil {
		return
	}
	if h := strings.TrimSuffix(strings.TrimSuffix(f.Host, "."), ".local"); h != "" {
		d.addHostname(evidence.Clean(h))
		r.observe(d, evidence.Hostname, h, now)
	}
	r.observe(d, evidence.Service, f.Service+" "+f.Instance, now)
	keys := make([]string, 0, len(f.TXT))
	for k := range f.TXT {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		r.txt(d, f.Service, k, f.TXT[k], now)
	}
}

// txt weighs one key of a TXT record: first by the table, then as the device's own claim of its vendor, model or firmware.
func (r *Registry) txt(d *Device, service, key, value string, now int64) {
	if value == "" {
		r.observe(d, evidence.TXT, service+" "+key, now) // a string without a key
		return
	}
	key = strings.ToLower(key)
	r.observe(d, evidence.TXT, service+" "+key+"="+value, now)
	value = evidence.Clean(strings.Trim(value, "()"))
	if value == "" {
		return
	}
	switch key {
	case "md", "ty", "model", "model_number", "modelname", "model_name", "am", "usb_mdl", "product", "prod":
		r.claim(d, evidence.Claim{Statement: evidence.AnnouncedModel(key, value), At: now})
	case "fv", "fw", "firmware", "firmware_version", "fw_version", "fwversion":
		r.claim(d, evidence.Claim{Statement: evidence.AnnouncedFirmware(key, value), At: now})
	case "manufacturer", "mfg", "usb_mfg", "vendor", "mf":
		if vendor := enrich.Canonical(value); vendor != "" {
			r.claim(d, evidence.Claim{Statement: evidence.AnnouncedVendor(key, vendor), At: now})
		}
	}
}

func (r *Registry) dhcpv6(f *dissect.DHCPv6Message, d *Device, now int64) {
	switch f.Type {
	case "solicit", "request", "confirm", "renew", "rebind", "information-request":
	default:
		return
	}
	if d == nil {
		return
	}
	name, _, _ := strings.Cut(f.FQDN, ".")
	d.addHostname(evidence.Clean(name))
	r.observe(d, evidence.Hostname, name, now)
	r.observe(d, evidence.VendorClass, f.VendorClass, now)
	r.enterprise(d, f.Vendor, now)
	r.mudURL(d, f.MUDURL, now)
}

// enterprise weighs the vendor of an enterprise number in DHCP.
func (r *Registry) enterprise(d *Device, vendor string, now int64) {
	if vendor != "" {
		r.observe(d, evidence.VendorClass, "enterprise "+vendor, now)
	}
}

// observeServe weighs a port that a device answers on, with its application protocol if the bytes identified it.
func (r *Registry) observeServe(d *Device, s Serve) {
	r.observe(d, evidence.Serves, s.label(), s.Last)
}

// label returns "tcp/554 rtsp".
func (s *Serve) label() string {
	var b strings.Builder
	b.WriteString(s.Proto)
	b.WriteByte('/')
	b.WriteString(strconv.Itoa(int(s.Port)))
	if s.App != "" {
		b.WriteByte(' ')
		b.WriteString(s.App)
	}
	return b.String()
}
