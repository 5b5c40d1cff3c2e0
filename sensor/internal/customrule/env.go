// SPDX-License-Identifier: Apache-2.0

package customrule

// MaxText is how many bytes of a text an expression sees: the rest is cut, so that the cost of an event is bounded.
const MaxText = 1024

// Env is what an expression can read about one event. It has what records show, and no secrets. The table of fields in docs/rules.md is
// made from the tags.
type Env struct {
	Session Session `expr:"session"`
	Device  Device  `expr:"device"`
	Peer    Peer    `expr:"peer"`
	DNS     DNS     `expr:"dns"`
	HTTP    HTTP    `expr:"http"`
	TLS     TLS     `expr:"tls"`
	Login   Login   `expr:"login"`
}

// Session is the session of the event.
type Session struct {
	Proto      string  `expr:"proto" doc:"protocol over IP: tcp, udp, icmp, icmp6, sctp, or its number"`
	App        string  `expr:"app" doc:"application protocol, as identified by its bytes: tls, http, ssh …; empty until it is known"`
	Client     string  `expr:"client" doc:"address of the host that opened the session"`
	Server     string  `expr:"server" doc:"address of the other host"`
	Port       int     `expr:"port" doc:"port of the server; 0 if the protocol has none"`
	ClientPort int     `expr:"client_port" doc:"port of the client; 0 if the protocol has none"`
	Direction  string  `expr:"direction" doc:"out: the device opened the session; in: the peer did"`
	State      string  `expr:"state" doc:"attempted, rejected, established, closed, reset, midstream, one_way"`
	BytesOut   int     `expr:"bytes_out" doc:"payload that the client has sent so far, bytes"`
	BytesIn    int     `expr:"bytes_in" doc:"payload that the server has sent so far, bytes"`
	PacketsOut int     `expr:"packets_out" doc:"packets that the client has sent so far"`
	PacketsIn  int     `expr:"packets_in" doc:"packets that the server has sent so far"`
	Seconds    float64 `expr:"seconds" doc:"from the first packet to the last so far"`
	VLAN       int     `expr:"vlan" doc:"outermost VLAN; 0 if untagged"`
	Name       string  `expr:"name" doc:"name of the server: SNI, or else the name that the client looked up"`
	Hour       int     `expr:"hour" doc:"hour of the event, 0 to 23, UTC"`
	Weekday    string  `expr:"weekday" doc:"day of the event, UTC: mon, tue, wed, thu, fri, sat, sun"`
}

// Device is the device that the alert will be about.
type Device struct {
	Key      string `expr:"key" doc:"key in records: name of the inventory, mac:… or ip:…; empty if the host is no device"`
	Name     string `expr:"name" doc:"name in the inventory, or else the first host name; of an external peer, the name of the server"`
	IP       string `expr:"ip" doc:"address in this session"`
	MAC      string `expr:"mac" doc:"MAC address; empty if it is not known"`
	Role     string `expr:"role" doc:"camera, nvr, vms, server, workstation, phone, printer, network_gear, iot_hub, iot, unknown"`
	Vendor   string `expr:"vendor" doc:"vendor"`
	Model    string `expr:"model" doc:"model"`
	Firmware string `expr:"firmware" doc:"version of the firmware"`
	Expect   string `expr:"expect" doc:"what is expected of it: silent, server_only, allowlist, normal"`
	Zone     string `expr:"zone" doc:"zone of the inventory that its address is in"`
	Days     int    `expr:"days" doc:"days on which it has sent something"`
}

// Peer is the other side: a device, or an external host, of which only the address and what follows Device is known.
type Peer struct {
	Device
	External bool   `expr:"external" doc:"the peer is outside the internal networks"`
	Country  string `expr:"country" doc:"country of an external peer, two letters: DE; empty if it is not known"`
	ASN      int    `expr:"asn" doc:"autonomous system of an external peer; 0 without a database"`
	ASName   string `expr:"as_name" doc:"name of the autonomous system"`
	Listed   string `expr:"listed" doc:"threat intelligence list that an external peer is on; empty if it is on none"`
}

// DNS is a question. A session that has ended has the first one.
type DNS struct {
	Name string `expr:"name" doc:"name that is looked up, in lower case and without the final dot"`
	Type string `expr:"type" doc:"type of the question: A, AAAA, TXT …"`
}

// HTTP is an exchange of HTTP without TLS. A session that has ended has the first one.
type HTTP struct {
	Method      string `expr:"method" doc:"GET, POST …"`
	Host        string `expr:"host" doc:"Host header"`
	URI         string `expr:"uri" doc:"target of the request; values that look like secrets are masked"`
	UserAgent   string `expr:"user_agent" doc:"User-Agent header"`
	SOAPAction  string `expr:"soap_action" doc:"SOAPAction header"`
	AuthScheme  string `expr:"auth_scheme" doc:"how the client signs in: basic, digest, form …"`
	Status      int    `expr:"status" doc:"status of the response"`
	Server      string `expr:"server" doc:"Server header of the response"`
	ContentType string `expr:"content_type" doc:"type of the response"`
	Title       string `expr:"title" doc:"title of the page in the response"`
	Realm       string `expr:"realm" doc:"realm for which the response asks a password"`
	Program     string `expr:"program" doc:"elf, pe or script if the response begins like one"`
}

// TLS is a handshake, also inside QUIC.
type TLS struct {
	SNI        string   `expr:"sni" doc:"name of the server that the client asks for"`
	ALPN       []string `expr:"alpn" doc:"protocols that the client offers: \"h2\" in tls.alpn"`
	JA3        string   `expr:"ja3" doc:"JA3 of the client"`
	JA4        string   `expr:"ja4" doc:"JA4 of the client"`
	QUIC       bool     `expr:"quic" doc:"the handshake is inside QUIC"`
	Version    string   `expr:"version" doc:"version that the server chose: ssl2, ssl3, 1.0, 1.1, 1.2, 1.3, dtls1.2 …"`
	JA3S       string   `expr:"ja3s" doc:"JA3S of the server"`
	Subject    string   `expr:"subject" doc:"subject of the certificate of the server (RFC 2253), up to TLS 1.2"`
	Issuer     string   `expr:"issuer" doc:"issuer of the certificate"`
	SHA256     string   `expr:"sha256" doc:"SHA-256 of the certificate, in lower-case hex digits"`
	SelfSigned bool     `expr:"self_signed" doc:"the certificate is signed with its own key"`
}

// Login is the result of a login.
type Login struct {
	Protocol string `expr:"protocol" doc:"ssh, ftp, telnet, http, rtsp …"`
	Result   string `expr:"result" doc:"success or failure"`
	UserHint string `expr:"user_hint" doc:"at most the last two characters of the user name"`
	Default  bool   `expr:"default_credentials" doc:"a well-known default name and password was used"`
	Clear    bool   `expr:"cleartext" doc:"the password was sent in clear text"`
	Inferred bool   `expr:"inferred" doc:"the result is inferred from the sizes of encrypted packets"`
}

// On is the kind of event at which a rule is checked.
type On string

// The kinds of events.
const (
	Opened   On = "opened"
	Answered On = "answered"
	Ended    On = "ended"
	OnDNS    On = "dns"
	OnHTTP   On = "http"
	OnTLS    On = "tls"
	OnLogin  On = "login"
)

// kinds lists the kinds of events with what their expressions can read besides session, device and peer.
var kinds = []struct {
	on    On
	doc   string
	facts []string
}{
	{Opened, "the first packet of a session that the client has opened", nil},
	{Answered, "the server accepts a session", nil},
	{Ended, "a session has ended, or was idle for its timeout; all counts are final", []string{"dns", "http", "tls"}},
	{OnDNS, "a question to a DNS server, not of mDNS or LLMNR", []string{"dns"}},
	{OnHTTP, "a request of HTTP; or its response, if the expression reads a field of the response", []string{"http"}},
	{OnTLS, "the hello of a client; or that of the server or its certificate, if the expression reads a field of them", []string{"tls"}},
	{OnLogin, "a login was accepted or refused", []string{"login"}},
}

// Ons returns the kinds of events.
func Ons() (all []string) {
	for _, k := range kinds {
		all = append(all, string(k.on))
	}
	return all
}

// Need is a set of parts of an Env. Those that no rule reads are not filled.
type Need uint16

// The parts.
const (
	NeedSession Need = 1 << iota
	NeedName         // session.name and peer.name
	NeedDevice
	NeedPeer
	NeedPlace  // peer.country, peer.asn, peer.as_name
	NeedListed // peer.listed
	NeedFact   // dns, http, tls, login
)

// Step is how far an exchange must be for an expression to be checked.
type Step uint8

// The steps, in the order of the exchange.
const (
	StepRequest     Step = iota // request of HTTP, hello of the client of TLS
	StepResponse                // response of HTTP, hello of the server of TLS
	StepCertificate             // certificate of the server of TLS
)

// needOf returns the part of an Env that a field is in.
func needOf(group, field string) Need {
	switch group + "." + field {
	case "session.name", "peer.name":
		return NeedName | NeedSession | NeedPeer
	case "peer.country", "peer.asn", "peer.as_name":
		return NeedPlace | NeedPeer
	case "peer.listed":
		return NeedListed | NeedName | NeedPeer
	}
	switch group {
	case "session":
		return NeedSession
	case "device":
		return NeedDevice
	case "peer":
		return NeedPeer
	}
	return NeedFact
}

// stepOf returns the step at which a field is known.
func stepOf(group, field string) Step {
	switch group + "." + field {
	case "http.status", "http.server", "http.content_type", "http.title", "http.realm", "http.program", "tls.version", "tls.ja3s":
		return StepResponse
	case "tls.subject", "tls.issuer", "tls.sha256", "tls.self_signed":
		return StepCertificate
	}
	return StepRequest
}
