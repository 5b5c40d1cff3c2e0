// SPDX-License-Identifier: Apache-2.0

package evidence

// Source is where an observation comes from. Each source belongs to one group of evidence. The numbers are part of saved states: add new
// ones at the end.
type Source uint8

// The sources.
const (
	MACVendor     Source = iota // vendor that the MAC address is registered to
	RandomMAC                   // locally administered MAC address
	VendorClass                 // DHCP option 60
	Hostname                    // DHCP option 12, mDNS host
	ParameterList               // DHCP option 55
	MUDURL                      // DHCP option 161
	Service                     // mDNS service type and instance
	TXT                         // mDNS TXT record
	HTTPServer                  // HTTP Server header
	HTTPRealm
	HTTPTitle
	HTTPURI // request target that the device answered
	RTSPServer
	RTSPRealm
	Banner      // of FTP, Telnet, SMTP and others
	Certificate // subject
	SSHServer
	SSHClient
	UserAgent
	HTTPRequest // host and target of a request that the device made
	Name        // name that the device looked up or connected to
	Serves      // port that the device answers on
	PullsRTSP   // takes streams from several servers
	ManyNames   // asks for many domains
	Router      // forwards for other addresses
	// What a device says about itself in a discovery protocol: with its own MAC address, with none to compare, with that of another.
	Discovery
	DiscoveryUnchecked
	DiscoveryForeign
	Answer       // what a device says about itself in an answer over a connection
	Uses         // protocol that it speaks as a client
	SendsMedia   // sends media to one that sends none
	ManyClients  // answers many clients of the network
	Platform     // takes streams, keeps a database, serves pages
	SystemText   // what it says there in free text: sysDescr, description of LLDP, version of CDP
	SystemAnswer // the same in an answer
	TCPStack     // SYN or SYN-ACK, by signatures of p0f
	Recog        // any banner, by a database of Recog
	numSources
)

// sources holds the name of each source in records and in the table, its group, and the half-life of its observations in days.
var sources = [numSources]struct {
	name     string
	group    Group
	halfLife int64
}{
	MACVendor:     {"oui", GroupLink, 180},
	RandomMAC:     {"mac", GroupLink, 180},
	VendorClass:   {"dhcp_vendor_class", GroupLink, 30},
	Hostname:      {"hostname", GroupLink, 30},
	ParameterList: {"dhcp_parameter_list", GroupLink, 30},
	MUDURL:        {"mud_url", GroupLink, 30},
	Service:       {"mdns_service", GroupAnnouncement, 30},
	TXT:           {"mdns_txt", GroupAnnouncement, 30},
	HTTPServer:    {"http_server", GroupBanner, 30},
	HTTPRealm:     {"http_realm", GroupBanner, 30},
	HTTPTitle:     {"http_title", GroupBanner, 30},
	HTTPURI:       {"http_uri", GroupBanner, 30},
	RTSPServer:    {"rtsp_server", GroupBanner, 30},
	RTSPRealm:     {"rtsp_realm", GroupBanner, 30},
	Banner:        {"banner", GroupBanner, 30},
	Certificate:   {"certificate", GroupBanner, 180},
	SSHServer:     {"ssh_server", GroupBanner, 30},
	SSHClient:     {"ssh_client", GroupClient, 30},
	UserAgent:     {"user_agent", GroupClient, 30},
	HTTPRequest:   {"http_request", GroupClient, 30},
	Name:          {"name", GroupBehavior, 30},
	Serves:        {"serves", GroupBehavior, 30},
	PullsRTSP:     {"pulls_rtsp", GroupBehavior, 30},
	ManyNames:     {"many_names", GroupBehavior, 30},
	Router:        {"topology", GroupBehavior, 30},

	Discovery:          {"discovery", GroupAnnouncement, 30},
	DiscoveryUnchecked: {"discovery_unchecked", GroupAnnouncement, 30},
	DiscoveryForeign:   {"discovery_foreign", GroupAnnouncement, 30},
	Answer:             {"answer", GroupBanner, 30},

	Uses:         {"uses", GroupBehavior, 30},
	SendsMedia:   {"sends_media", GroupBehavior, 30},
	ManyClients:  {"many_clients", GroupBehavior, 30},
	Platform:     {"platform", GroupBehavior, 30},
	SystemText:   {"system_text", GroupAnnouncement, 30},
	SystemAnswer: {"system_answer", GroupBanner, 30},
	TCPStack:     {"tcp_stack", GroupClient, 30},
	Recog:        {"recog", GroupBanner, 30},
}

// aboutMAC reports whether observations of s are about the MAC address and not about what the device does.
func (s Source) aboutMAC() bool { return s == MACVendor || s == RandomMAC || s == Router }

// lasting reports whether observations of s hold for as long as the device is heard, so that they do not age while it is.
func (s Source) lasting() bool { return s.aboutMAC() || s == Serves }

// rows returns the source whose rows of the table apply to observations of s.
func (s Source) rows() Source {
	switch s {
	case DiscoveryUnchecked, DiscoveryForeign:
		return Discovery
	case SystemAnswer:
		return SystemText
	}
	return s
}

// trust returns the share of the weight of the rows that observations of s have. A reply that names another MAC address than that of its
// sender is forwarded by a router, or forged: it makes a role a hint at most.
func (s Source) trust() float64 {
	switch s {
	case DiscoveryUnchecked:
		return 0.75
	case DiscoveryForeign:
		return 0.48
	}
	return 1
}
