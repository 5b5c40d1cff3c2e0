// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// inventory returns the inventory of the office. It omits the workstations, like most inventories.
func (o *office) inventory() string {
	var b strings.Builder
	b.WriteString(`version: 1
networks:
  internal: [10.20.0.0/16]
zones:
  cameras: [10.20.30.0/24]
  servers: [10.20.10.0/24]
  users: [10.20.50.0/24]
  management: [10.20.1.0/24]
infrastructure:
  dns: [10.20.1.53]
  ntp: [10.20.1.123, ntp.example.net]
  dhcp: [10.20.1.1]
devices:
`)
	for _, d := range o.devices {
		if d == o.operator || d == o.clerk || d == o.router {
			continue
		}
		d.writeYAML(&b)
	}
	return b.String()
}

func (d *device) writeYAML(b *strings.Builder) {
	fmt.Fprintf(b, "  - name: %s\n    match: {mac: \"%s\"}\n    expect: %s\n    owner: %s\n    criticality: %s\n",
		d.host.Name, d.host.MAC, d.expect, d.owner, d.criticality)
	if len(d.allow) > 0 {
		b.WriteString("    allow:\n")
	}
	for _, a := range d.allow {
		peer := a.peer
		if strings.HasPrefix(peer, "*") || strings.Contains(peer, ":") {
			peer = `"` + peer + `"`
		}
		fmt.Fprintf(b, "      - {direction: %s, peer: %s, proto: %s, port: %d}\n", a.direction, peer, a.proto, a.port)
	}
	if d.maintenance {
		b.WriteString("    maintenance:\n      - {days: [sun], from: \"02:00\", to: \"04:00\", zone: UTC}\n")
	}
}
