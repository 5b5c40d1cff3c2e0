// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"stillwatch/sensor/internal/device"
)

// MUDFile is a Manufacturer Usage Description (RFC 8520) with its access control lists (RFC 8519), in the JSON encoding of YANG (RFC 7951).
type MUDFile struct {
	MUD  MUDHead `json:"ietf-mud:mud"`
	ACLs struct {
		ACL []MUDList `json:"acl"`
	} `json:"ietf-access-control-list:acls"`
}

// MUDHead is the container mud of RFC 8520, section 2.1.
type MUDHead struct {
	Version       int        `json:"mud-version"`
	URL           string     `json:"mud-url"`
	LastUpdate    string     `json:"last-update"`
	CacheValidity int        `json:"cache-validity,omitempty"` // hours, 1 to 168
	Supported     *bool      `json:"is-supported"`
	SystemInfo    string     `json:"systeminfo,omitempty"`
	From          *MUDPolicy `json:"from-device-policy,omitempty"`
	To            *MUDPolicy `json:"to-device-policy,omitempty"`
}

// MUDPolicy names the lists of one direction.
type MUDPolicy struct {
	AccessLists struct {
		AccessList []MUDName `json:"access-list"`
	} `json:"access-lists"`
}

// MUDName is the name of a list.
type MUDName struct {
	Name string `json:"name"`
}

// MUDList is an access control list: the first ACE that matches a packet decides, and what none matches is dropped.
type MUDList struct {
	Name string `json:"name"`
	Type string `json:"type,omitempty"` // ipv4-acl-type or ipv6-acl-type
	ACEs struct {
		ACE []MUDRule `json:"ace"`
	} `json:"aces"`
}

// MUDRule is an access control entry (ACE).
type MUDRule struct {
	Name    string   `json:"name"`
	Matches MUDMatch `json:"matches"`
	Actions struct {
		Forwarding string `json:"forwarding"` // accept, drop or reject
		Logging    string `json:"logging,omitempty"`
	} `json:"actions"`
}

// MUDMatch is the conditions of an ACE; all must hold.
type MUDMatch struct {
	MUD  *MUDPeer  `json:"ietf-mud:mud,omitempty"`
	IPv4 *MUDIP    `json:"ipv4,omitempty"`
	IPv6 *MUDIP    `json:"ipv6,omitempty"`
	TCP  *MUDPorts `json:"tcp,omitempty"`
	UDP  *MUDPorts `json:"udp,omitempty"`
}

// MUDPeer is the other end by what it is (RFC 8520, section 3.4 and following). The fields without a value are [null].
type MUDPeer struct {
	Manufacturer     string          `json:"manufacturer,omitempty"`
	SameManufacturer json.RawMessage `json:"same-manufacturer,omitempty"`
	Model            string          `json:"model,omitempty"`
	LocalNetworks    json.RawMessage `json:"local-networks,omitempty"`
	Controller       string          `json:"controller,omitempty"`
	MyController     json.RawMessage `json:"my-controller,omitempty"`
}

// MUDIP is conditions on the IP header.
type MUDIP struct {
	Protocol *uint8 `json:"protocol,omitempty"`
	DstName  string `json:"ietf-acldns:dst-dnsname,omitempty"`
	SrcName  string `json:"ietf-acldns:src-dnsname,omitempty"`
	DstNet4  string `json:"destination-ipv4-network,omitempty"`
	SrcNet4  string `json:"source-ipv4-network,omitempty"`
	DstNet6  string `json:"destination-ipv6-network,omitempty"`
	SrcNet6  string `json:"source-ipv6-network,omitempty"`
}

// MUDPorts is conditions on the header of TCP or UDP.
type MUDPorts struct {
	Initiated string    `json:"ietf-mud:direction-initiated,omitempty"` // TCP: from-device or to-device
	Source    *MUDRange `json:"source-port,omitempty"`
	Dest      *MUDRange `json:"destination-port,omitempty"`
}

// MUDRange is ports: one with an operator (eq, lte, gte, neq), or a range.
type MUDRange struct {
	Operator string  `json:"operator,omitempty"`
	Port     *uint16 `json:"port,omitempty"`
	Lower    *uint16 `json:"lower-port,omitempty"`
	Upper    *uint16 `json:"upper-port,omitempty"`
}

// UnmarshalJSON refuses conditions that are not supported: an ACE without one of its conditions would allow more than its vendor meant.
func (m *MUDMatch) UnmarshalJSON(b []byte) error {
	type plain MUDMatch
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode((*plain)(m)); err != nil {
		return fmt.Errorf("a condition that is not supported: %w", err)
	}
	return nil
}

// MaxMUDFile is the size of a file, in bytes.
const MaxMUDFile = 1 << 20

// ParseMUD reads a file and checks it against RFC 8520. Signatures are not checked, and URLs are never fetched.
func ParseMUD(b []byte) (*MUDFile, error) {
	if len(b) > MaxMUDFile {
		return nil, fmt.Errorf("it has more than %d bytes", MaxMUDFile)
	}
	f := &MUDFile{}
	if err := json.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("it is no MUD file: %w", err)
	}
	return f, f.check()
}

func (f *MUDFile) check() error {
	h := &f.MUD
	_, err := time.Parse(time.RFC3339, h.LastUpdate)
	switch {
	case h.Version != 1:
		return fmt.Errorf("mud-version is %d: only 1 is known (RFC 8520)", h.Version)
	case mudHost(h.URL) == "":
		return fmt.Errorf("mud-url %.80q is no https URL of at most 255 characters", h.URL)
	case err != nil:
		return fmt.Errorf("last-update %.40q is no time as 2026-03-01T09:00:00Z", h.LastUpdate)
	case h.Supported == nil:
		return errors.New("is-supported is missing")
	case h.CacheValidity < 0 || h.CacheValidity > 168:
		return fmt.Errorf("cache-validity is %d h: it is 1 to 168", h.CacheValidity)
	case h.From == nil && h.To == nil:
		return errors.New("it has neither from-device-policy nor to-device-policy")
	}
	lists := map[string]bool{}
	for i := range f.ACLs.ACL {
		l := &f.ACLs.ACL[i]
		if l.Name == "" || lists[l.Name] {
			return fmt.Errorf("ACL %q: each list needs a name of its own", l.Name)
		}
		lists[l.Name] = true
		if err := l.check(); err != nil {
			return fmt.Errorf("ACL %s, %w", l.Name, err)
		}
	}
	for _, p := range []*MUDPolicy{h.From, h.To} {
		for _, n := range p.names() {
			if !lists[n] {
				return fmt.Errorf("the policy names the ACL %q, which is missing", n)
			}
		}
	}
	return nil
}

func (l *MUDList) check() error {
	kind := strings.TrimPrefix(l.Type, aclModule)
	if kind != "" && kind != "ipv4-acl-type" && kind != "ipv6-acl-type" {
		return fmt.Errorf("type %q: only ipv4-acl-type and ipv6-acl-type can be imported", l.Type)
	}
	names := map[string]bool{}
	for i := range l.ACEs.ACE {
		a := &l.ACEs.ACE[i]
		m := &a.Matches
		switch {
		case a.Name == "" || names[a.Name] || !printable(a.Name) || !printable(l.Name):
			return fmt.Errorf("ACE %q: each ACE needs a printable name of its own", a.Name)
		case kind == "ipv4-acl-type" && m.IPv6 != nil, kind == "ipv6-acl-type" && m.IPv4 != nil, m.IPv4 != nil && m.IPv6 != nil:
			return fmt.Errorf("ACE %s: its conditions are of another version of IP than its list", a.Name)
		case m.TCP != nil && m.UDP != nil:
			return fmt.Errorf("ACE %s: a packet is not both TCP and UDP", a.Name)
		}
		switch a.action() {
		case "accept", "drop", "reject":
		default:
			return fmt.Errorf("ACE %s: forwarding %q is none of accept, drop and reject", a.Name, a.Actions.Forwarding)
		}
		names[a.Name] = true
	}
	return nil
}

const aclModule = "ietf-access-control-list:"

func (a *MUDRule) action() string { return strings.TrimPrefix(a.Actions.Forwarding, aclModule) }

// names returns the names of the lists of a policy, which may be nil.
func (p *MUDPolicy) names() (out []string) {
	if p != nil {
		for _, l := range p.AccessLists.AccessList {
			out = append(out, l.Name)
		}
	}
	return out
}

// mudHost returns the host of a MUD URL, which stands for the manufacturer; "" if the text is no such URL.
func mudHost(s string) string {
	name, _ := hostName(device.MUDHost(s))
	return name
}

// network reads a prefix or an address.
func network(s string) (PeerKey, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return networkOf(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return PeerKey{}, fmt.Errorf("%.60q is no network", s)
	}
	return networkOf(p.Addr(), p.Bits()), nil
}
