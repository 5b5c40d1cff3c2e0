// SPDX-License-Identifier: Apache-2.0

package trace

import "fmt"

// maxCrowd is the largest number of sessions and of devices, limited by the address plan.
const (
	maxCrowdSessions = 64000 * crowdClients
	maxDevices       = 1 << 20
	crowdClients     = 4000
	crowdServers     = 1000
)

// sessions opens all sessions in the first 80 % of the time with one exchange each. Each initiator
// sends one more segment in the last 20 %. No session ends.
func (g *generator) sessions() error {
	if g.Sessions > maxCrowdSessions {
		return fmt.Errorf("at most %d sessions have room in the address plan", maxCrowdSessions)
	}
	var clients, servers []*host
	for i := range crowdClients {
		clients = append(clients, &host{ip: ipOf(10, 16+i/250, 0, 1+i%250), mac: routerMAC(), ttl: 63, far: true})
	}
	for i := range crowdServers {
		servers = append(servers, &host{ip: ipOf(10, 1, i/250, 1+i%250), mac: macOf(cardVMware, uint32(i)), ttl: 64})
	}
	d := &dialogue{proto: tcp, port: 8443, msgs: []msg{
		{up: true, data: []byte("GET /state HTTP/1.1\r\nHost: unit\r\n\r\n")},
		{data: []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")},
	}}
	span := g.end - g.Start
	for i := range g.Sessions {
		part := int64(float64(span) * float64(i) / float64(g.Sessions))
		g.flows = append(g.flows, flow{
			next: g.Start + part*4/5 - part*4/5%microsecond, gap: millisecond, late: g.Start + span*4/5 + second + part/6,
			id: g.rng.Uint64(), d: d, c: clients[i%crowdClients], s: servers[i%crowdServers],
			cport: uint16(1024 + i/crowdClients), sport: d.port, end: endLate,
		})
	}
	g.made = g.Sessions
	g.run()
	return nil
}

// devices lets each device announce its address, request a lease (every fourth), and open three sessions.
func (g *generator) devices() error {
	if g.Devices > maxDevices {
		return fmt.Errorf("at most %d devices have room in the address plan", maxDevices)
	}
	n := g.office600()
	web := make([]*dialogue, 0, len(n.names))
	clients := tlsClients()
	for i, name := range n.names {
		cert, err := certificate(name)
		if err != nil {
			return err
		}
		web = append(web, tlsDialogue(clients[i%len(clients)], name, cert, bulkNone))
	}
	for i := range g.Devices {
		g.device(n, web, i)
	}
	for i := range g.flows {
		g.flows[i].gap = millisecond
	}
	g.run()
	return nil
}

// device adds what one device does. Its address is in 10.64.0.0/10, its MAC address of one of five vendors.
func (g *generator) device(n *network, web []*dialogue, i int) {
	vendors := []uint32{cardDell, cardHikvision, cardDahua, cardApple, cardAxis}
	h := &host{ip: ipOf(10, 64, 0, 0) + uint32(i) + uint32(i)/250*6 + 1, mac: macOf(vendors[i%len(vendors)], uint32(i)+1<<16), ttl: 64}
	site := g.rng.IntN(len(n.sites))
	f := g.addAt(&dialogue{proto: arpExchange}, h, h, g.Start+int64(float64(g.end-g.Start)*0.8*float64(i)/float64(g.Devices)), 0)
	at := f.next
	if i%4 == 0 {
		g.joins(n, h, i, at+second)
	}
	g.addAt(dnsDialogue(n.names[site], 1, n.sites[site].ip, 0), h, n.infra, at+2*second, 0)
	g.addAt(web[site], h, n.sites[site], at+3*second, 0)
	g.addAt(ntpDialogue(), h, n.infra, at+4*second, 0)
}

// joins adds a DHCP broadcast request and its answer: two sessions for a passive observer.
func (g *generator) joins(n *network, h *host, i int, at int64) {
	classes := []string{"MSFT 5.0", "udhcp 1.30.1", "dhcpcd-5.5.6", "android-dhcp-14", "axis,camera"}
	name := fmt.Sprintf("device-%05d", i)
	request := dhcp(false, 3, 0, name, classes[i%len(classes)], []byte{1, 3, 6, 12, 15, 28, 42})
	answer := dhcp(true, 5, h.ip, "", "", nil)
	copy(request[28:], h.mac[:])
	copy(answer[28:], h.mac[:])
	xid := uint32(g.rng.Uint64())
	be.PutUint32(request[4:], xid)
	be.PutUint32(answer[4:], xid)
	nobody, all := &host{mac: h.mac, ttl: 64}, &host{ip: 0xffffffff, mac: everyone}
	g.addAt(&dialogue{proto: udp, port: 67, msgs: []msg{{up: true, data: request}}}, nobody, all, at, 0).cport = 68
	g.addAt(&dialogue{proto: udp, port: 68, msgs: []msg{{up: true, data: answer}}}, n.infra, h, at+3*millisecond, 0).cport = 67
	if i > 0 {
		g.made-- // all requests have the same 5-tuple
	}
}
