// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"

	"stillwatch/internal/testlab/netns"
)

// brand has the texts that a camera announces.
type brand struct{ httpServer, realm, rtspServer, stream string }

func brands() map[string]brand {
	return map[string]brand{
		netns.Camera1: {"Webs", "Login to 4K0A1B2C3D", "Rtsp Server/3.0", "/cam/realmonitor?channel=1&subtype=0"},
		netns.Camera2: {"Apache", "AXIS_ACCC8E000102", "GStreamer RTSP server", "/axis-media/media.amp"},
		netns.Camera3: {"App-webs/", "IP Camera(C6496)", "", "/Streaming/Channels/101"},
	}
}

// camera serves a stream and a page.
func (m *machine) camera() error {
	b := brands()[m.name]
	if err := m.web(b.httpServer, b.realm, true); err != nil {
		return err
	}
	s := &rtspServer{server: b.rtspServer, realm: b.realm}
	return m.listen(":554", func(c net.Conn) { s.serve(m.ctx, c) })
}

// recorder pulls the streams of all cameras, and serves a page for the guard and a forgotten Telnet login.
func (m *machine) recorder() error {
	if err := m.web("App-webs/", "Embedded Net DVR", false); err != nil {
		return err
	}
	if err := m.telnetd(m.busybox); err != nil {
		return err
	}
	for name, b := range brands() {
		udp := name == netns.Camera2
		m.every(2*time.Second, func(ctx context.Context) error {
			return record(ctx, netip.AddrPortFrom(netns.Address(name), 554), b.stream, "NVR/4.1", udp)
		})
	}
	return nil
}

// operator is the workstation of the guard: it requests pages of the recorder and of outside hosts by name.
func (m *machine) operator() error {
	if err := m.dhcp(netns.MachineOf(netns.Operator)); err != nil {
		return err
	}
	visit := func(d time.Duration, name, path string) {
		m.every(d, func(ctx context.Context) error {
			ip, err := lookup(ctx, name)
			if err != nil {
				return err
			}
			return fetch(ctx, fmt.Sprintf("http://%s%s", ip, path), "Mozilla/5.0 (Windows NT 10.0; Win64; x64)")
		})
	}
	visit(3*time.Second, "nvr.example.net", "/doc/page/preview.asp")
	visit(4*time.Second, "files.example.net", "/")
	visit(5*time.Second, "www.example.com", "/")
	return nil
}

// outside has all servers behind the router: a web site, a mail server with TLS, a controller, and hosts with SSH.
func (m *machine) outside() error {
	certificate, err := selfSigned("mail.example.com")
	if err != nil {
		return err
	}
	if err := m.web("nginx", "", false); err != nil {
		return err
	}
	if err := m.listen(fmt.Sprintf("%s:%d", netns.Controller, controllerPort), m.command); err != nil {
		return err
	}
	for _, ip := range []string{"192.0.2.10", "192.0.2.12", "192.0.2.13", "192.0.2.15"} {
		if err := m.sshd(ip+":22", nil); err != nil {
			return err
		}
	}
	return m.listen(netns.Mail+":443", func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
		for in := bufio.NewReader(s); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(s, "250 %d bytes taken, go on\n", len(line)); err != nil {
				return
			}
		}
	})
}

func selfSigned(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// From returns a dialer from an address of this machine with a timeout of d; "" is the default address.
func From(address string, d time.Duration) *net.Dialer {
	if address == "" {
		return dialer(netip.Addr{}, d)
	}
	return dialer(addr(address), d)
}
