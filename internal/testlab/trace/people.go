// SPDX-License-Identifier: Apache-2.0

package trace

// life is the traffic of people and their machines.
type life struct {
	*network
	web, upload  [][]*dialogue // by site, then by client
	clear        [][]*dialogue // HTTP
	lookups      []*dialogue
	missing      []*dialogue
	quic         []*dialogue
	ntp          *dialogue
	snmp         *dialogue
	smb          *dialogue
	ssh          []*dialogue
	scan, closed *dialogue
}

func (g *generator) newLife(n *network) (*life, error) {
	l := &life{
		network: n, ntp: ntpDialogue(), snmp: snmpDialogue(), smb: smbDialogue(),
		ssh:  []*dialogue{sshDialogue("OpenSSH_9.6"), sshDialogue("PuTTY_Release_0.83"), sshDialogue("OpenSSH_8.9p1")},
		scan: &dialogue{proto: tcp, port: 8080}, closed: &dialogue{proto: tcp, port: 9100},
	}
	clients := tlsClients()
	for i, name := range n.names {
		cert, err := certificate(name)
		if err != nil {
			return nil, err
		}
		quic, err := quicDialogue(name, g.Seed+uint64(i))
		if err != nil {
			return nil, err
		}
		var web, upload, clear []*dialogue
		for k, c := range clients {
			web = append(web, tlsDialogue(c, name, cert, bulkTLS))
			upload = append(upload, tlsDialogue(c, name, cert, bulkTLSUp))
			clear = append(clear, httpDialogue(name, k))
		}
		l.web, l.upload, l.clear = append(l.web, web), append(l.upload, upload), append(l.clear, clear)
		l.quic = append(l.quic, quic)
		l.lookups = append(l.lookups, dnsDialogue(name, 1, n.sites[i].ip, 0), dnsDialogue(name, 65, 0, 0))
		l.missing = append(l.missing, dnsDialogue("wpad."+name, 1, 0, 3))
	}
	return l, nil
}

// people adds sessions up to the requested number.
func (g *generator) people(n *network) error {
	l, err := g.newLife(n)
	if err != nil {
		return err
	}
	for g.made < g.Sessions {
		h := n.all[g.rng.IntN(len(n.all))]
		site := g.rng.IntN(len(n.sites))
		g.act(l, h, site, g.rng.IntN(1000))
	}
	return nil
}

// act adds one session; dice is below 1000.
func (g *generator) act(l *life, h *host, site, dice int) {
	client := int(h.ip) % len(l.web[site])
	switch {
	case dice < 430:
		g.add(l.lookups[g.rng.IntN(len(l.lookups))], h, l.infra, 0)
	case dice < 450:
		g.add(l.missing[site], h, l.infra, 0)
	case dice < 730:
		g.add(l.web[site][client], h, l.sites[site], 30*second).v6 = dice%5 == 0
	case dice < 740:
		g.add(l.upload[site][client], h, l.sites[site], 60*second)
	case dice < 800:
		g.add(l.clear[site][client], h, l.sites[site], 10*second)
	case dice < 870:
		g.add(l.quic[site], h, l.sites[site], 30*second).v6 = dice%3 == 0
	case dice < 905:
		g.add(l.ntp, h, l.infra, 0)
	case dice < 935:
		g.add(l.snmp, l.infra, l.printers[site%len(l.printers)], 0)
	case dice < 955:
		g.add(l.smb, h, l.files, 60*second)
	case dice < 962:
		g.add(l.ssh[client%len(l.ssh)], h, l.shells[site%len(l.shells)], 120*second)
	case dice < 985:
		g.add(l.scan, h, l.sites[site], 0).end = endSilence
	default:
		g.add(l.closed, h, l.printers[site%len(l.printers)], 0).end = endRejected
	}
}
