// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
)

const answerPort = 9999

func smallAnswer() []byte { return []byte("{\"system\":{}}") }

// answerScene is a plug that should be silent, a phone that uses it, and a host outside.
type answerScene struct {
	n           *netsim.Net
	plug, phone *netsim.Host
	far         *netsim.Host
}

type answerCase struct {
	name string
	do   func(s answerScene)
	want []string // severities of D01
}

func checkAnswers(t *testing.T, cases []answerCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := netsim.New(1)
			n.Router("10.20.30.1", "00:1b:54:00:00:01")
			c.do(answerScene{n, n.Host("plug", silentAddr, silentMAC, netsim.Embedded), n.Host("phone", "10.20.30.50", "b8:ca:3a:00:00:50", netsim.Linux),
				n.External("198.51.100.66", netsim.Linux, 20*time.Millisecond)})
			x := tell(t, n, "--silent", silentMAC)
			if got := x.of("D01"); !slices.Equal(got, c.want) {
				t.Errorf("D01 is %v, want %v", got, c.want)
			}
		})
	}
}

// TestAnswersAreNotOpenedSessions lets a device that should be silent send datagrams that answer a request.
func TestAnswersAreNotOpenedSessions(t *testing.T) {
	checkAnswers(t, []answerCase{
		{"from one port to many of a client", func(s answerScene) {
			for i := range 18 {
				s.n.UDP(began().Add(time.Duration(i)*40*time.Second), s.plug, answerPort, s.phone, uint16(50000+7*i), smallAnswer())
			}
		}, nil},
		{"from one port to many of a client that continues", func(s answerScene) {
			for i := range 5 {
				at := s.n.UDP(began().Add(time.Duration(i)*40*time.Second), s.plug, answerPort, s.phone, uint16(40001+7*i), smallAnswer())
				if i > 1 {
					s.n.UDP(at.Add(time.Second), s.phone, uint16(40001+7*i), s.plug, answerPort, smallAnswer())
				}
			}
		}, nil},
		{"from a port that was asked before", func(s answerScene) {
			s.n.Exchange(began(), s.phone, s.plug, answerPort, smallAnswer(), smallAnswer())
			s.n.UDP(began().Add(time.Hour), s.plug, answerPort, s.phone, 35999, smallAnswer())
		}, nil},
		{"from a high port that was asked before", func(s answerScene) {
			s.n.Exchange(began(), s.phone, s.plug, 49154, smallAnswer(), smallAnswer())
			s.n.UDP(began().Add(time.Hour), s.plug, 49154, s.phone, 35999, smallAnswer())
		}, nil},
		{"to a host that asked a group", func(s answerScene) {
			all := s.n.Host("all", "10.20.30.255", toAll, netsim.Linux)
			at := s.n.UDP(began(), s.phone, 40077, all, answerPort, smallAnswer())
			s.n.UDP(at.Add(30*time.Millisecond), s.plug, 34567, s.phone, 40077, smallAnswer())
			at = s.n.Multicast(at.Add(time.Minute), s.phone, 50050, "239.255.255.250", 1900, []byte("M-SEARCH * HTTP/1.1\r\n\r\n"))
			at = s.n.UDP(at.Add(time.Second), s.plug, 49160, s.phone, 50050, []byte("HTTP/1.1 200 OK\r\n\r\n"))
			s.n.UDP(at.Add(time.Second), s.phone, 50050, s.plug, 49160, smallAnswer())
		}, nil},
	})
}

// TestDatagramsThatOpenSessions lets it send datagrams that answer nothing.
func TestDatagramsThatOpenSessions(t *testing.T) {
	checkAnswers(t, []answerCase{
		{"to a host that asked a group an hour ago", func(s answerScene) {
			all := s.n.Host("all", "10.20.30.255", toAll, netsim.Linux)
			s.n.UDP(began(), s.phone, 20077, all, answerPort, smallAnswer())
			s.n.UDP(began().Add(time.Hour), s.plug, 40001, s.phone, 20077, smallAnswer())
		}, []string{"medium"}},
		{"one datagram", func(s answerScene) {
			s.n.UDP(began(), s.plug, answerPort, s.phone, 50000, smallAnswer())
			s.n.Exchange(began().Add(time.Hour), s.phone, s.far, 123, smallAnswer(), smallAnswer())
		}, []string{"medium"}},
		{"a datagram that is answered", func(s answerScene) {
			s.n.UDP(began(), s.plug, answerPort, s.phone, 50000, smallAnswer())
			s.n.UDP(began().Add(time.Second), s.phone, 50000, s.plug, answerPort, smallAnswer())
		}, []string{"high"}},
		{"a request to a service", func(s answerScene) { s.n.UDP(began(), s.plug, 40001, s.phone, answerPort, smallAnswer()) }, []string{"medium"}},
		{"many outside from one port", func(s answerScene) {
			for i := range 4 {
				s.n.UDP(began().Add(time.Duration(i)*time.Second), s.plug, answerPort, s.n.External(fmt.Sprintf("198.51.100.%d", 10+i), netsim.Linux, 0), uint16(50000+7*i), smallAnswer())
			}
		}, []string{"medium", "medium", "medium", "medium"}},
		{"a port that only insiders have asked, to the outside", func(s answerScene) {
			s.n.Exchange(began(), s.phone, s.plug, answerPort, smallAnswer(), smallAnswer())
			s.n.UDP(began().Add(time.Minute), s.plug, answerPort, s.far, 50001, smallAnswer())
		}, []string{"medium"}},
	})
}

func TestPingsOfSilentDevice(t *testing.T) {
	checkAnswers(t, []answerCase{
		{"a ping to the gateway", func(s answerScene) {
			s.n.Ping(began(), s.plug, s.n.Host("gateway", "10.20.30.1", "00:1b:54:00:00:01", netsim.Linux), 3, true)
		}, []string{"low"}},
		{"a ping to a gateway that forwards", func(s answerScene) {
			s.n.Dial(began(), s.phone, s.far, 443).Close()
			gateway := s.n.Host("gateway", "10.20.30.77", "00:1b:54:00:00:01", netsim.Linux)
			s.n.Ping(s.n.ARP(began().Add(time.Second), s.plug, gateway), s.plug, gateway, 3, false)
		}, []string{"low"}},
		{"a ping to another host", func(s answerScene) { s.n.Ping(began(), s.plug, s.phone, 3, true) }, []string{"high"}},
	})
}

// TestContractByNameWaitsForTheHello has a device that may open port 443 to one name. Its DNS lookups are not captured.
func TestContractByNameWaitsForTheHello(t *testing.T) {
	inventory := filepath.Join(t.TempDir(), "inventory.yaml")
	text := "version: 1\nsite: hq\nnetworks: {internal: [10.20.0.0/16]}\ndevices:\n  - name: cam\n    match: {mac: \"" + silentMAC + "\"}\n    expect: allowlist\n" +
		"    allow:\n      - {direction: out, peer: \"*.vendor.example\", proto: tcp, port: 443}\n"
	if err := os.WriteFile(inventory, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	hello := func(name string) func(n *netsim.Net, cam, far *netsim.Host) {
		return func(n *netsim.Net, cam, far *netsim.Host) {
			n.DialTLS(began(), cam, far, 443, netsim.TLSClient{SNI: name}, netsim.TLSServer{}).Records(netsim.Client, 4).Wait(time.Minute).Close()
		}
	}
	for _, c := range []struct {
		name   string
		do     func(n *netsim.Net, cam, far *netsim.Host)
		want   []string
		within time.Duration // from the opening of the session to detected_at
	}{
		{"the name of the contract", hello("cloud.vendor.example"), nil, 0},
		{"another name", hello("relay.example.net"), []string{"high"}, time.Second},
		{"no hello", func(n *netsim.Net, cam, far *netsim.Host) {
			n.Dial(began(), cam, far, 443).Wait(50 * time.Second).Send([]byte("late")).Close()
		}, []string{"high"}, 4 * time.Second},
		{"no TLS", func(n *netsim.Net, cam, far *netsim.Host) {
			n.DialSSH(began(), cam, far, 443, netsim.OpenSSHClient(), netsim.OpenSSHServer()).Conn().Wait(time.Minute).Close()
		}, []string{"high"}, time.Second},
		{"another port", func(n *netsim.Net, cam, far *netsim.Host) {
			n.Dial(began(), cam, far, 8443).Wait(time.Minute).Close()
		}, []string{"high"}, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := netsim.New(1)
			n.Router("10.20.30.1", "00:1b:54:00:00:01")
			c.do(n, n.Host("cam", silentAddr, silentMAC, netsim.Embedded), n.External("198.51.100.66", netsim.Linux, 20*time.Millisecond))
			x := tell(t, n, "--inventory", inventory)
			if got := x.of("D01"); !slices.Equal(got, c.want) {
				t.Fatalf("D01 is %v, want %v", got, c.want)
			}
			for _, at := range x.first("D01") {
				if got := at.Sub(began()); got > c.within {
					t.Errorf("reported after %v, want at most %v", got, c.within)
				}
			}
		})
	}
}
