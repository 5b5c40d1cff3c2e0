// SPDX-License-Identifier: Apache-2.0

package dispatch

import (
	"fmt"
	"strings"

	"stillwatch/sensor/internal/dissect"
)

// loginKind is how the outcome of a login becomes known.
type loginKind string

const (
	loginNone     loginKind = "none"     // the protocol has no logins, or they are those of what it carries
	loginUnread   loginKind = "not read" // the sensor does not read them
	loginExplicit loginKind = "explicit" // the server states the outcome in clear
	loginInferred loginKind = "inferred" // from the sizes of encrypted packets
)

// description is what docs/protocols.md says of a protocol beside what the tables of protocols contain.
type description struct {
	name   string
	signs  string // by which it is recognized
	ports  string // of which one is needed, and in which case if not always; "" if none is
	reads  string // "" if the protocol is named and not read
	login  loginKind
	beside string // where it is recognized if not by the tables
}

// Markdown returns the rows of docs/protocols.md, one for each protocol in the order of their names.
func Markdown() (rows []string) {
	for _, d := range descriptions {
		where, ports, reads := d.beside, d.ports, d.reads
		if where == "" {
			where = strings.Join(transports(d.name), ", ")
		}
		if ports == "" {
			ports = "none"
		}
		if reads == "" {
			reads = "name only"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |", d.name, where, d.signs, ports, reads, d.login))
	}
	return rows
}

// transports returns the transports over which the tables recognize a protocol, with the side whose first bytes decide.
func transports(name string) (all []string) {
	client, server := streamHas(dissect.FromClient, name), streamHas(dissect.FromServer, name)
	switch {
	case client && server:
		all = append(all, "TCP (either side)")
	case client:
		all = append(all, "TCP (client)")
	case server:
		all = append(all, "TCP (server)")
	}
	for i := range datagramProtocols {
		if datagramProtocols[i].app.Name == name {
			return append(all, "UDP")
		}
	}
	return all
}

func streamHas(dir int, name string) bool {
	for i := range streamProtocols[dir] {
		if streamProtocols[dir][i].app.Name == name {
			return true
		}
	}
	return false
}
