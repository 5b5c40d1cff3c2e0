// SPDX-License-Identifier: Apache-2.0

package device

import (
	"net/url"
	"strings"

	"stillwatch/sensor/internal/device/evidence"
)

// maxMUDURL is how long a MUD URL may be, in octets: an option of DHCP holds no more (RFC 8520, section 10).
const maxMUDURL = 255

// mudURL records the MUD URL that a device gives in DHCP, LLDP or its certificate. It is a claim like its host name, and is never fetched. The same
// URL costs no more than a comparison.
func (r *Registry) mudURL(d *Device, s string, now int64) {
	if s == "" || d == nil {
		return
	}
	r.observe(d, evidence.MUDURL, s, now)
	if s != d.MUDURL && MUDHost(s) != "" {
		d.MUDURL = s
		r.changed(d)
	}
}

// MUDHost returns the host of a MUD URL in lower case, which stands for the manufacturer; "" if the text is no MUD URL: the scheme must be https
// (RFC 8520, section 1.6).
func MUDHost(s string) string {
	if len(s) > maxMUDURL || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r >= 0x7f }) {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return ""
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if !strings.Contains(host, ".") || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return ""
	}
	return host
}
