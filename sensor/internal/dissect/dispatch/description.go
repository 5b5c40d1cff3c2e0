// SPDX-License-Identifier: Apache-2.0

package dispatch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"stillwatch/sensor/internal/dissect"
)

// Markdown returns the rows of docs/protocols.md, one for each protocol in the order of their names.
func Markdown() (rows []string) {
	for _, p := range protocols {
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |", p.Name, cmp.Or(p.Beside, strings.Join(transports(p.Name), ", ")), p.Signs,
			cmp.Or(p.Ports, "none"), cmp.Or(p.Reads, "name only"), p.Login))
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
	if slices.ContainsFunc(datagramProtocols, func(p datagramProtocol) bool { return p.app.Name == name }) {
		all = append(all, "UDP")
	}
	return all
}

func streamHas(dir int, name string) bool {
	return slices.ContainsFunc(streamProtocols[dir], func(p streamProtocol) bool { return p.app.Name == name || slices.Contains(p.Names, name) })
}

// Order returns the lists of docs/protocols.md: the protocols of each table in the order in which they are tried, with their numbers.
func Order() (lists []string) {
	for dir, side := range [...]string{dissect.FromClient: "client", dissect.FromServer: "server"} {
		var names []string
		for _, p := range streamProtocols[dir] {
			names = append(names, fmt.Sprintf("%d&nbsp;`%s`", p.Order, cmp.Or(p.app.Name, strings.Join(p.Names, " or "))))
		}
		lists = append(lists, fmt.Sprintf("- TCP, first bytes of the %s: %s", side, strings.Join(names, ", ")))
	}
	var names []string
	for _, p := range datagramProtocols {
		names = append(names, fmt.Sprintf("%d&nbsp;`%s`", p.Order, p.app.Name))
	}
	return append(lists, "- UDP: "+strings.Join(names, ", "))
}
