// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"net/netip"
	"time"
)

// Fact is one thing that a dissector read. It is always a pointer to one of the types of this package.
type Fact interface{ fact() }

// Outcome is the result of a login or of an authenticated request.
type Outcome uint8

// OutcomeUnknown is the zero value.
const (
	OutcomeUnknown Outcome = iota
	OutcomeSuccess
	OutcomeFailure
)

// String returns the name of the outcome as it is in records.
func (o Outcome) String() string { return [...]string{"unknown", "success", "failure"}[o] }

// AppID names the application protocol of a session: tls http ssh rtsp dns dhcp ftp telnet ntp mdns quic smtp snmp mqtt
// sip … Later facts of the same session may refine it.
type AppID struct{ Name string }

// TLSClientHello is the first flight of a TLS or DTLS client, also inside QUIC (RFC 8446 section 4.1.2). Lists are in
// wire order and still contain GREASE values (RFC 8701).
type TLSClientHello struct {
	QUIC, DTLS, SSL2  bool
	ECH               bool // encrypted_client_hello: SNI is the outer name
	RecordVersion     uint16
	Version           uint16   // legacy_version
	SupportedVersions []uint16 // extension 43
	Ciphers           []uint16
	Extensions        []uint16
	Groups            []uint16
	PointFormats      []uint8
	SigAlgs           []uint16
	ALPN              []string
	SNI               string
	// NPFBodies are the extensions that count with their values in an NPF fingerprint (NPFBody), as on the wire and in their order.
	NPFBodies []byte
}

// NPFBody reports whether an extension of a hello counts with its value in an NPF fingerprint: TLS_EXT_FIXED of doc/npf.md in
// https://github.com/cisco/mercury.
func NPFBody(extension uint16) bool {
	switch extension {
	case 0x0001, 0x0005, 0x0007, 0x0008, 0x0009, 0x000a, 0x000b, 0x000d, 0x000f, 0x0010, 0x0011, 0x0018, 0x001b, 0x001c, 0x002b, 0x002d, 0x0032, 0x5500:
		return true
	}
	return false
}

// TLSServerHello is the server's answer. Version is the negotiated one (supported_versions if present).
type TLSServerHello struct {
	DTLS, SSL2    bool
	Version       uint16
	LegacyVersion uint16
	Cipher        uint16
	Extensions    []uint16
	ALPN          string
	NPFBodies     []byte // as in TLSClientHello
}

// TLSCertificate is the leaf certificate where it is sent in clear text (before TLS 1.3).
type TLSCertificate struct {
	Subject, Issuer     string // RFC 2253 form
	DNSNames            []string
	SHA256              string // lower-case hex of the DER bytes
	NotBefore, NotAfter time.Time
	SelfSigned          bool
	MUDURL              string // extension id-pe-mud-url (RFC 8520, section 11)
}

// QUICInitial reports that a client Initial was decrypted. The hello follows as a TLSClientHello with QUIC set.
type QUICInitial struct {
	Version    uint32
	FromClient bool
}

// SSHBanner is an identification line (RFC 4253 section 4.2) without its line end. Server is set if the server sent it.
type SSHBanner struct {
	Server bool
	Line   string
}

// SSHKexInit is SSH_MSG_KEXINIT (RFC 4253 section 7.1). The name lists are as on the wire.
type SSHKexInit struct {
	Server                         bool
	Kex, HostKey                   string
	EncC2S, EncS2C, MACC2S, MACS2C string
	CompressionC2S, CompressionS2C string
	LanguagesC2S, LanguagesS2C     string
}

// SSHAuth is the result of an SSH login, inferred from the sizes of encrypted packets (see detections.md). It is
// reported again whenever it changes.
type SSHAuth struct {
	Result   Outcome
	Failures int
}

// HTTPExchange is one request with its response (RFC 9112). It is reported when the request was read, with zero
// response fields (Status is 0), and again under the same Index with the response. AuthScheme is the scheme that the
// client offered, in lower case, "form" for a login form and "wsse" for a WS-Security token. AuthUserHint is at most
// the last two characters of the user name.
type HTTPExchange struct {
	Method, URI, Host, UserAgent      string // query values that look like secrets are masked
	Version                           string // "1.0", "1.1"
	Status                            int
	Server, ContentType, Realm, Title string
	AuthScheme                        string
	AuthUserHint                      string
	AuthResult                        Outcome // unknown unless the server checked a password
	DefaultCredentials                bool    // the credentials are a well-known default pair, in clear text or as a proof that was accepted
	CleartextCredentials              bool    // Basic, or a login form in clear text
	SOAPAction                        string
	Program                           string // elf, pe or script if the response begins like one; else ""
	Index                             int    // 0 is the first exchange of the session
}

// RTSPExchange is one RTSP request with its response (RFC 2326, RFC 7826), reported twice as an HTTPExchange is.
type RTSPExchange struct {
	Method, URI, UserAgent string
	Status                 int
	Server, Realm          string
	AuthScheme             string
	AuthUserHint           string
	AuthResult             Outcome
	DefaultCredentials     bool
	CleartextCredentials   bool
	Index                  int
}

// MediaDescription is a description of media (SDP, RFC 8866) in RTSP: of the server in the answer to DESCRIBE, or of a client that pushes its
// media (ANNOUNCE).
type MediaDescription struct {
	Push                  bool
	Session, Tool, Vendor string // Vendor is that of an attribute which only its devices write
	Media                 []MediaTrack
}

// MediaTrack is one medium of a MediaDescription.
type MediaTrack struct {
	Kind, Codec string // "video", "H264"; Codec is empty if only the payload type names it (RFC 3551)
	Payload     uint8  // the first payload type
	Clock       int    // Hz
	Control     string // URI, masked
	Port        uint16
	Addr        netip.Addr // to which it is sent; invalid if none is given
}

// MediaTransport is how a medium is sent, as the server of RTSP has answered to SETUP. Ports are those of RTP and RTCP.
type MediaTransport struct {
	Profile                      string // "RTP/AVP", "RTP/AVP/TCP"
	Interleaved, Multicast, Push bool
	Channels                     [2]uint8 // of RTP and RTCP, if interleaved
	ClientPorts, ServerPorts     [2]uint16
	Source, Destination          netip.Addr // invalid if they are those of the RTSP session
}

// MediaTunnel is one half of RTSP over HTTP. Both have the same Cookie, a hash.
type MediaTunnel struct{ Cookie uint64 }

// MediaFlow is what one side of an RTP session sends (RFC 3550).
type MediaFlow struct {
	Payload uint8
	Codec   string // of a static payload type (RFC 3551), "" for a dynamic one
	SSRC    uint32
	Video   bool // by the description in RTSP, the static payload type, or with a dynamic one by the size of the packets
	OneWay  bool // the other side sent no media in the meantime
}

// DNSAnswer is one resource record of an answer section. Data is the text form of A, AAAA, CNAME, PTR, NS, MX, SRV and
// TXT, cut if it is long.
type DNSAnswer struct {
	Name, Type, Data string
	TTL              uint32
	Addr             netip.Addr // A and AAAA only
}

// DNSMessage is a query or a response (RFC 1035). MDNS (RFC 6762) and LLMNR show which dialect it is.
type DNSMessage struct {
	Response, MDNS, LLMNR, TCP bool
	ID                         uint16
	QName, QType               string      // first question; QName lower case without the final dot
	RCode                      string      // NOERROR, NXDOMAIN …; responses only
	Answers                    []DNSAnswer // at most 32, answer section (and additional of mDNS)
}

// DHCPMessage is a DHCPv4 message (RFC 2131).
type DHCPMessage struct {
	Type                          string // discover offer request decline ack nak release inform
	ClientMAC                     [6]byte
	ClientIP, YourIP, RequestedIP netip.Addr // invalid if zero
	ServerID, Router              netip.Addr
	Resolvers, Clocks, Loggers    []netip.Addr // servers for DNS, NTP and logs, at most 8 each: options 6, 42 and 7
	Hostname, VendorClass         string
	UserClass, MUDURL             string
	Vendor                        string // of the enterprise number in option 124 (RFC 3925)
	ParamList                     []byte // option 55
	ClientID                      []byte // option 61
	Options                       []byte // the field of options, as on the wire
	LeaseSeconds                  uint32
	SubnetBits                    int // of the mask, option 1; 0 if none
	// EtherSrc is the source address of the frame, which the caller of the dissector sets: all clients without an
	// address share one session.
	EtherSrc [6]byte
}

// DHCPv6Message is a DHCPv6 message (RFC 8415).
type DHCPv6Message struct {
	Type              string // solicit advertise request confirm renew rebind reply release decline reconfigure information-request relay-forw relay-repl
	DUID              []byte
	MAC               [6]byte // from DUID-LL, DUID-LLT or the client link-layer option; zero if none
	Addrs             []netip.Addr
	FQDN, VendorClass string
	EnterpriseID      uint32
	Vendor            string // of the enterprise number of the vendor class or of the DUID
	MUDURL            string
	OptionRequest     []uint16
}

// ARPMessage is an ARP packet for IPv4 over Ethernet (RFC 826).
type ARPMessage struct {
	Request              bool
	SenderMAC, TargetMAC [6]byte
	SenderIP, TargetIP   netip.Addr
	EtherSrc, EtherDst   [6]byte
	Gratuitous, Probe    bool // RFC 5227
	// Scope is the address space of SenderIP and TargetIP, as in packet.Scope.
	Scope [10]byte `json:",omitzero"`
}

// NDMessage is a Neighbor Discovery message (RFC 4861).
type NDMessage struct {
	Type                   uint8 // ICMPv6 type 133 to 137
	Src, Dst, Target       netip.Addr
	SourceLink, TargetLink [6]byte
	EtherSrc               [6]byte
	Router                 bool
	Override               bool // neighbor advertisement: flag O, it replaces what the receiver knows
	Prefixes               []netip.Prefix
	RouterLifetimeSeconds  uint16
}

// NeighborMessage is an announcement of LLDP, CDP, EDP, FDP or a spanning tree, or a reply of SADP over Ethernet, which is sent to the neighbors on the link. The classes of its DeviceInfo are
// capabilities: repeater, bridge, wlan_ap, router, telephone, docsis, station; of a spanning tree bridge or root_bridge.
type NeighborMessage struct {
	DeviceInfo
	EtherSrc [6]byte
	MUDURL   string // RFC 8520 section 11
}

// LinkAction is a DeviceAction in a frame without IP. Src and Dst are the addresses in the message, which may be unspecified.
type LinkAction struct {
	DeviceAction
	EtherSrc, EtherDst [6]byte
	Src, Dst           netip.Addr
}

// NTPMessage is an NTP or SNTP packet (RFC 5905), modes 3 and 4 and control modes 6 and 7.
type NTPMessage struct {
	Version, Mode, Stratum uint8
}

// Login is a login over a clear-text protocol. UserHint is at most the last two characters of the user name; SNMP has
// none. A login of SNMP is reported only if it was answered, and once a session.
type Login struct {
	Protocol             string // ftp telnet smtp pop3 imap nntp mqtt redis snmp mysql postgresql dhip dvrip xmeye hcnet vnc sip rdp winbox
	UserHint             string
	Result               Outcome
	DefaultCredentials   bool
	CleartextCredentials bool
}

// Banner is a text with which a server introduces itself (FTP 220, Telnet text before the login prompt, SMTP, the version of a database …).
// Client is set if the client sent it: the name of its program.
type Banner struct {
	Protocol string
	Text     string
	Client   bool
}

// ServiceAnnouncement is a service that a device announces (mDNS, DNS-SD).
type ServiceAnnouncement struct {
	Service  string // "_axis-video._tcp"
	Instance string // "AXIS M1065 - ACCC8E123456"
	Host     string
	Port     uint16
	TXT      map[string]string // at most 32 keys
}

// DeviceInfo is what a device says about itself in a discovery or management protocol, as the protocol writes it and cleaned of control
// characters. What it did not say is zero.
type DeviceInfo struct {
	Protocol      string // sadp dhip dvrip xmeye onvif ssdp bosch sony panasonic hanwha ubiquiti foscam vivotek edimax tuya mndp lldp cdp snmp nbns ntlm …
	MAC           [6]byte
	IP            netip.Addr
	Vendor, Model string
	Class         string // the kind of device in the words of the protocol: "IPC", "NVR", "NetworkVideoTransmitter"
	Name, Serial  string
	Description   string // free text, such as sysDescr of SNMP
	Firmware      string
	FirmwareDate  string    // of the build: "2019-12-15"
	Booted        time.Time // without a time zone of its own, it is read as UTC
	Analog        int       // analog channels
	Digital       int       // channels of network cameras: more than one is a recorder, cameras of Hikvision count themselves
	Activated     Outcome   // OutcomeFailure: no password has been set yet
}

// ActionKind is the kind of a DeviceAction. Everything but ActionView and ActionRead changes the device.
type ActionKind string

// The kinds of action.
const (
	ActionView          ActionKind = "view" // live pictures, or recorded ones
	ActionRead          ActionKind = "read" // configuration, users, logs
	ActionMove          ActionKind = "move" // pan, tilt, zoom
	ActionReboot        ActionKind = "reboot"
	ActionReset         ActionKind = "reset"         // to factory settings, or of the password by a recovery code
	ActionUpgrade       ActionKind = "upgrade"       // of the firmware
	ActionUsers         ActionKind = "users"         // accounts and passwords
	ActionNetwork       ActionKind = "network"       // addresses, ports, remote access
	ActionVideo         ActionKind = "video"         // pictures: encoder, overlay, privacy mask, recording
	ActionTime          ActionKind = "time"          // clock and time servers
	ActionConfiguration ActionKind = "configuration" // any other setting
)

// DeviceAction is something that a client asked a camera or recorder to do. Result is that of the request, which may be refused for want of
// rights. UserHint is at most the last two characters of the user name.
type DeviceAction struct {
	Protocol string // onvif isapi vapix dahua_cgi rpc2 dhip dvrip xmeye hcnet baichuan sadp
	Action   string // in the words of the protocol, without values: "ptz/ContinuousMove", "PUT /ISAPI/System/reboot"; a star stands for any of them
	Kind     ActionKind
	UserHint string
	Result   Outcome
}

// EchoData is what the echo messages of a session have carried so far. It is reported only if they are no pings.
type EchoData struct {
	Messages          int     // with 64 bytes or more that no ping program sends
	Bytes             uint64  // of their payload
	Compared, Unequal int     // replies compared with their requests, and those that differ
	Entropy           float64 // of these bytes, bits per byte
}

// Exploit is a request that has the shape of an attack on a published vulnerability.
type Exploit struct {
	ID      string // of the shape: "hikvision-auth"
	CVE     string // "" if none was assigned
	Product string // what is vulnerable, in the plural
}

func (*AppID) fact() {}

func (*TLSClientHello) fact() {}

func (*TLSServerHello) fact() {}

func (*TLSCertificate) fact() {}

func (*QUICInitial) fact() {}

func (*SSHBanner) fact() {}

func (*SSHKexInit) fact() {}

func (*SSHAuth) fact() {}

func (*HTTPExchange) fact() {}

func (*RTSPExchange) fact() {}

func (*MediaDescription) fact() {}

func (*MediaTransport) fact() {}

func (*MediaFlow) fact() {}

func (*MediaTunnel) fact() {}

func (*DNSMessage) fact() {}

func (*DHCPMessage) fact() {}

func (*DHCPv6Message) fact() {}

func (*ARPMessage) fact() {}

func (*NDMessage) fact() {}

func (*NeighborMessage) fact() {}
func (*LinkAction) fact()      {}

func (*NTPMessage) fact() {}

func (*Login) fact() {}

func (*Banner) fact() {}

func (*ServiceAnnouncement) fact() {}

func (*DeviceInfo) fact() {}

func (*DeviceAction) fact() {}

func (*Exploit) fact() {}

func (*EchoData) fact() {}

// MaxBanner is the length in bytes at which the text of a Banner is cut.
const MaxBanner = 256
