// SPDX-License-Identifier: Apache-2.0

package device

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// source says where an observation came from; each source belongs to one group of evidence.
type source uint8

const (
	obsVendor source = iota // maker behind the MAC
	obsRandomMAC
	obsVendorClass // DHCP option 60
	obsHostname    // DHCP option 12, mDNS host
	obsParamList   // DHCP option 55
	obsMUD
	obsService // mDNS service type
	obsTXT     // mDNS TXT, "key=value"
	obsHTTPServer
	obsRealm
	obsTitle
	obsURI // request target that the device answered
	obsRTSPServer
	obsRTSPRealm
	obsBanner
	obsCertificate
	obsSSHServer
	obsSSHClient
	obsUserAgent
	obsRequest // host and target of a request that the device made
	obsName    // name that the device asked for or went to
	obsServe
	obsPulls
	obsManyNames
	obsRouter
	numSources
)

var sources = [numSources]struct {
	name  string
	group Group
	half  int64 // half-life in days
}{
	obsVendor: {"oui", GroupLink, 180}, obsRandomMAC: {"mac", GroupLink, 180}, obsVendorClass: {"dhcp_vendor_class", GroupLink, 30},
	obsHostname: {"hostname", GroupLink, 30}, obsParamList: {"dhcp_parameter_list", GroupLink, 30}, obsMUD: {"mud_url", GroupLink, 30},
	obsService: {"mdns_service", GroupAnnouncement, 30}, obsTXT: {"mdns_txt", GroupAnnouncement, 30},
	obsHTTPServer: {"http_server", GroupBanner, 30}, obsRealm: {"http_realm", GroupBanner, 30}, obsTitle: {"http_title", GroupBanner, 30},
	obsURI: {"http_uri", GroupBanner, 30}, obsRTSPServer: {"rtsp_server", GroupBanner, 30}, obsRTSPRealm: {"rtsp_realm", GroupBanner, 30},
	obsBanner: {"banner", GroupBanner, 30}, obsCertificate: {"certificate", GroupBanner, 180}, obsSSHServer: {"ssh_server", GroupBanner, 30},
	obsSSHClient: {"ssh_client", GroupClient, 30}, obsUserAgent: {"user_agent", GroupClient, 30}, obsRequest: {"http_request", GroupClient, 30},
	obsName: {"name", GroupBehaviour, 30}, obsServe: {"serves", GroupBehaviour, 30}, obsPulls: {"pulls_rtsp", GroupBehaviour, 30},
	obsManyNames: {"many_names", GroupBehaviour, 30}, obsRouter: {"topology", GroupBehaviour, 30},
}

// vote is what a row says for a role; points are decibans and may be negative.
type vote struct {
	role   Role
	points float64
}

// row is one line of the evidence table: an observation of source src whose value matches speaks for roles, a vendor and a
// model. A text begins with "^" to match at the start, with "=" to match whole, with "~" for a regular expression, and is
// found anywhere otherwise; case does not count. For obsName it is a domain, and names below it match too.
type row struct {
	src    source
	text   string
	roles  []vote
	vendor string
	vdb    float64
	model  string // "$1" takes the first group of the regular expression
	mdb    float64
	fw     string // "$2" takes the second group
}

type rule struct {
	row
	re *regexp.Regexp
}

type ruleSet struct {
	bySource [numSources][]*rule
	byDomain map[string]*rule
}

// rules compiles the tables once; a fault in them is found by the tests of this package.
var rules = sync.OnceValue(func() *ruleSet {
	s := &ruleSet{byDomain: map[string]*rule{}}
	for _, t := range [][]row{linkRows(), announcementRows(), bannerRows(), cameraRows(), clientRows(), behaviourRows()} {
		for _, x := range t {
			s.add(x)
		}
	}
	for _, x := range nameRows() {
		s.byDomain[x.text] = &rule{row: x}
	}
	return s
})

func (s *ruleSet) add(x row) {
	r := &rule{row: x}
	if p, ok := strings.CutPrefix(x.text, "~"); ok {
		r.re = regexp.MustCompile("(?i)" + p)
	} else {
		r.text = strings.ToLower(x.text)
	}
	s.bySource[x.src] = append(s.bySource[x.src], r)
}

// match gives the first row of a source that a value meets, with the model and firmware that it names.
func (s *ruleSet) match(src source, value string) (r *rule, model, firmware string) {
	if src == obsName {
		r = s.domain(strings.ToLower(value))
		if r != nil {
			model = r.model
		}
		return r, model, ""
	}
	low := strings.ToLower(value)
	for _, r := range s.bySource[src] {
		if model, firmware, ok := r.meets(value, low); ok {
			return r, model, firmware
		}
	}
	return nil, "", ""
}

func (r *rule) meets(value, low string) (model, firmware string, ok bool) {
	if r.re == nil {
		return r.model, r.fw, contains(low, r.text)
	}
	m := r.re.FindStringSubmatch(value)
	if m == nil {
		return "", "", false
	}
	return group(r.model, m), group(r.fw, m), true
}

func contains(low, text string) bool {
	switch text[0] {
	case '^':
		return strings.HasPrefix(low, text[1:])
	case '=':
		return low == text[1:]
	}
	return strings.Contains(low, text)
}

func group(want string, m []string) string {
	for i, x := range m {
		if i > 0 && want != "" && strings.Contains(want, "$"+string(rune('0'+i))) {
			want = strings.ReplaceAll(want, "$"+string(rune('0'+i)), strings.TrimSpace(x))
		}
	}
	return want
}

// domain finds the longest suffix of whole labels that the table knows.
func (s *ruleSet) domain(name string) *rule {
	for range 8 {
		if r := s.byDomain[name]; r != nil {
			return r
		}
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return nil
		}
		name = rest
	}
	return nil
}

const maxValue = 96

// clean makes a text from the wire fit to be shown: valid UTF-8 without control characters, at most maxValue bytes.
func clean(s string) string {
	if len(s) > 4*maxValue {
		s = s[:4*maxValue]
	}
	ok := len(s) <= maxValue
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] >= ' ' && s[i] < 0x7f
	}
	if ok {
		return strings.TrimSpace(s)
	}
	s = strings.Map(func(c rune) rune {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			return '.'
		}
		return c
	}, s)
	for len(s) > maxValue {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return strings.TrimSpace(s)
}
