// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"stillwatch/schemas"
)

// proposal is an entry of an inventory for a device that no inventory names, and the reason for its expectation.
type proposal struct {
	YAML, Reason string
}

// propose returns an entry for the inventory of the sensor, as `stillwatch-sensor inventory suggest` writes them. A record does not list the
// peers of a device, so for one that opens sessions the command has to be run. It is nil if the inventory names the device.
func propose(d *schemas.Device) *proposal {
	if d.ExpectSource == "inventory" {
		return nil
	}
	expect, why := "allowlist", "It opened sessions: run stillwatch-sensor inventory suggest with a capture of the device, which lists its peers for allow."
	switch d.Role {
	case "workstation", "phone", "network_gear":
		expect, why = "normal", "What people use, and what forwards for others, opens sessions to many hosts."
	default:
		if d.LastOrigination == nil {
			expect, why = "silent", "It opened no session, and answered nobody."
			if len(d.Serves) > 0 {
				expect, why = "server_only", "It opened no session, and answers."
			}
		}
	}
	match := ""
	switch mac := d.MAC.String(); {
	case d.MAC != schemas.MAC{}:
		match = "mac: " + strconv.Quote(mac)
	case len(d.IPs) > 0:
		match = "ip: " + strconv.Quote(d.IPs[0].String())
	default:
		return nil
	}
	return &proposal{fmt.Sprintf("- name: %s\n  match: {%s}\n  expect: %s", strconv.QuoteToASCII(proposedName(d)), match, expect), why}
}

// proposedName returns the host name of a device, or else one made of role, vendor and the end of its MAC or address.
func proposedName(d *schemas.Device) string {
	if len(d.Hostnames) > 0 {
		return d.Hostnames[0]
	}
	end := ""
	if d.MAC != (schemas.MAC{}) {
		s := strings.ReplaceAll(d.MAC.String(), ":", "")
		end = s[len(s)-6:]
	} else if a := d.IPs[0]; a != (netip.Addr{}) {
		end = strings.NewReplacer(".", "-", ":", "-").Replace(a.String())
	}
	var parts []string
	for _, p := range []string{d.Role, strings.ToLower(d.Vendor), end} {
		if p != "" && p != "unknown" {
			parts = append(parts, strings.ReplaceAll(p, " ", "-"))
		}
	}
	return strings.Join(parts, "-")
}
