// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"stillwatch/sensor/internal/device"
)

// MaxTitle is how many characters the title of an alert has at most: one line of a terminal.
const MaxTitle = 90

// name is how a text names a host: in full, or short where there is no room.
type name struct{ full, short string }

// named reports whether the key of a device is a name of the inventory rather than an address.
func named(d *device.Device) bool {
	return !strings.HasPrefix(d.Key, "mac:") && !strings.HasPrefix(d.Key, "ip:")
}

// ShortLabel returns the name of a device in the inventory, or else the address that it had in the observation; if at is zero, its own
// address.
func ShortLabel(d *device.Device, at netip.Addr) string { return label(d, at).short }

// label names a device by its name in the inventory, else by the address that it had in the observation, else by its last address.
func label(d *device.Device, at netip.Addr) name {
	if d == nil {
		return name{"the network", "the network"}
	}
	if named(d) {
		return name{Clean(d.Key, 80), Clean(d.Key, 40)}
	}
	id := Clean(d.Key, 80)
	switch {
	case at.IsValid():
		id = at.String()
	case d.IP().IsValid():
		id = d.IP().String()
	case !d.MAC.IsZero():
		id = d.MAC.String()
	}
	what := strings.ReplaceAll(Clean(d.Vendor, 40), ".", "") // "Co., Ltd." is no end of a sentence
	if d.Role != device.Unknown {
		what = strings.TrimSpace(what + " " + strings.ReplaceAll(d.Role.String(), "_", " "))
	}
	if what == "" {
		return name{id, id}
	}
	return name{id + " (" + what + ")", id}
}

// self names the device of a finding, or the host if it is no device.
func (f *Finding) self() name {
	if f.Device == nil && f.DeviceAddr.IsValid() {
		return name{f.DeviceAddr.String(), f.DeviceAddr.String()}
	}
	return label(f.Device, f.DeviceAddr)
}

// other names the peer of a finding.
func (f *Finding) other() name { return peerName(f.Peer) }

// peerName names a peer: "relay.example.net (198.51.100.23)".
func peerName(p *Peer) name {
	switch {
	case p == nil:
		return name{"an unknown peer", "an unknown peer"}
	case p.Device != nil:
		a, _ := netip.ParseAddr(p.IP) // a zero address leaves it to the device
		l := label(p.Device, a)
		if !strings.Contains(l.full, p.IP) {
			l.full += " (" + p.IP + ")"
		}
		return l
	case p.Name != "":
		return name{p.Name + " (" + p.IP + ")", p.Name}
	}
	return name{p.IP, p.IP}
}

// at names a peer with its port: "198.51.100.200:6667".
func (p *Peer) at() name {
	n := peerName(p)
	if p == nil || p.Port == 0 {
		return n
	}
	if a, err := netip.ParseAddr(n.short); err == nil {
		n.short = netip.AddrPortFrom(a, p.Port).String()
	} else {
		n.short = fmt.Sprintf("%s:%d", n.short, p.Port)
	}
	return name{n.short, n.short}
}

// brief is the name in the title of a chain, which has little room.
func (n name) brief() string { return shorten(n.short, 32) }

// headline formats a title. If it is too long it shortens the names, the last first.
func headline(format string, names ...name) string {
	use := make([]any, len(names))
	for i := range names {
		use[i] = names[i].full
	}
	fits := func() bool { return Fits(fmt.Sprintf(format, use...)) }
	for i := len(names) - 1; i >= 0 && !fits(); i-- {
		use[i] = names[i].short
	}
	for limit := 48; limit >= 16 && !fits(); limit -= 8 {
		for i := len(names) - 1; i >= 0 && !fits(); i-- {
			use[i] = shorten(names[i].short, limit)
		}
	}
	return Fit(fmt.Sprintf(format, use...))
}

// shorten cuts a name. It keeps the end of a DNS name, which shows the owner, and never cuts an address.
func shorten(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return s
	}
	r := []rune(s)
	if strings.Contains(s, ".") && !strings.Contains(s, " ") {
		return "…" + string(r[len(r)-limit+1:])
	}
	return string(r[:limit-1]) + "…"
}

// Fits reports whether a title is short enough.
func Fits(title string) bool { return utf8.RuneCountInString(title) <= MaxTitle }

// Fit cuts a title that is too long.
func Fit(title string) string {
	if Fits(title) {
		return title
	}
	return string([]rune(title)[:MaxTitle-1]) + "…"
}
