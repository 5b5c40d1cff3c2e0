// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Network is the network of one run. The name of a namespace consists of prefix, run and machine.
type Network struct {
	run     string
	names   []string // of the namespaces, without prefix and run
	lock    *os.File
	program string
	relay   *exec.Cmd
}

// Needs returns an error that names what is missing to create a network.
func Needs() error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root: run it as root, or with sudo")
	}
	for _, p := range []string{"ip", "tc", "ethtool"} {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%s is missing: apt-get install iproute2 ethtool", p)
		}
	}
	return nil
}

// New creates the network with its mirror port. program is the lab command, which runs in the namespaces. After an error
// nothing is left.
func New(ctx context.Context, m Mirror, program string) (*Network, error) {
	if err := Needs(); err != nil {
		return nil, err
	}
	n, err := begin()
	if err != nil {
		return nil, err
	}
	n.program, n.names = program, []string{Switch, Outside, Sensor}
	for _, x := range Machines() {
		n.names = append(n.names, x.Name)
	}
	return n, n.make(ctx, n.office, n.outside, n.quiet, m.build(n))
}

// NewCable creates two namespaces, Sender and Sensor, with a veth pair from SenderPort to SensorPort and nothing else.
func NewCable(ctx context.Context) (*Network, error) {
	if err := Needs(); err != nil {
		return nil, err
	}
	n, err := begin()
	if err != nil {
		return nil, err
	}
	n.names = []string{Sender, Sensor}
	return n, n.make(ctx, func(ctx context.Context) error {
		return errors.Join(
			batch(ctx, fmt.Sprintf("link add %s mtu %d type veth peer name %s mtu %d netns %s\nlink set %s arp off up\n", SenderPort, jumbo, SensorPort, jumbo, n.Namespace(Sensor), SenderPort),
				"-n", n.Namespace(Sender)),
			batch(ctx, "link set "+SensorPort+" arp off up\n", "-n", n.Namespace(Sensor)),
		)
	})
}

// make creates the namespaces and their content. After an error nothing is left.
func (n *Network) make(ctx context.Context, steps ...func(context.Context) error) error {
	for _, step := range append([]func(context.Context) error{n.namespaces}, steps...) {
		if err := step(ctx); err != nil {
			return errors.Join(err, n.Close())
		}
	}
	return nil
}

// begin reserves an unused name for the run.
func begin() (*Network, error) {
	id := make([]byte, 3)
	_, _ = rand.Read(id) // it does not fail (package documentation)
	n := &Network{run: hex.EncodeToString(id)}
	var err error
	n.lock, err = lock(n.run)
	return n, err
}

// Run returns the name of the run.
func (n *Network) Run() string { return n.run }

// Namespace returns the name of a namespace for `ip netns`.
func (n *Network) Namespace(name string) string { return prefix + n.run + "-" + name }

func (n *Network) namespaces(ctx context.Context) error {
	var b strings.Builder
	for _, name := range n.names {
		fmt.Fprintf(&b, "netns add %s\n", n.Namespace(name))
	}
	if err := batch(ctx, b.String()); err != nil {
		return err
	}
	for _, name := range n.names { // no router advertisements, no multicast from the kernel
		if err := n.Command(ctx, name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1").run(); err != nil {
			return err
		}
		if err := batch(ctx, "link set lo up\n", "-n", n.Namespace(name)); err != nil {
			return err
		}
	}
	return nil
}

// office connects the machines to the bridge.
func (n *Network) office(ctx context.Context) error {
	var b strings.Builder
	b.WriteString("link add br0 type bridge\nlink set br0 up\n")
	for _, m := range Machines() {
		fmt.Fprintf(&b, "link add %s type veth peer name eth0 address %s netns %s\nlink set %s master br0 up\n", m.Name, m.MAC, n.Namespace(m.Name), m.Name)
	}
	if err := batch(ctx, b.String(), "-n", n.Namespace(Switch)); err != nil {
		return err
	}
	for _, m := range Machines() {
		text := "link set eth0 up\n"
		if !m.Leased() {
			text += fmt.Sprintf("addr add %s/%d dev eth0\n", m.IP, PrefixLength)
		}
		if m.Name != Router && !m.Leased() {
			text += fmt.Sprintf("route add default via %s\n", Address(Router))
		}
		if err := batch(ctx, text, "-n", n.Namespace(m.Name)); err != nil {
			return err
		}
	}
	return nil
}

// outside connects the outside to the router.
func (n *Network) outside(ctx context.Context) error {
	err := batch(ctx, fmt.Sprintf("link add wan0 type veth peer name eth0 netns %s\naddr add 100.64.0.1/30 dev wan0\nlink set wan0 up\n"+
		"route add 192.0.2.0/24 via 100.64.0.2\nroute add 198.51.100.0/24 via 100.64.0.2\nroute add 203.0.113.0/24 via 100.64.0.2\n", n.Namespace(Outside)),
		"-n", n.Namespace(Router))
	if err != nil {
		return err
	}
	b := "addr add 100.64.0.2/30 dev eth0\nlink set eth0 up\nroute add default via 100.64.0.1\nroute add local " + Refusing + " dev lo\n"
	for _, a := range []string{Intruder, Worm, Mail, Controller, Gone, Web} {
		b += fmt.Sprintf("addr add %s/32 dev lo\n", a)
	}
	if err := batch(ctx, b, "-n", n.Namespace(Outside)); err != nil {
		return err
	}
	return n.Command(ctx, Router, "sysctl", "-qw", "net.ipv4.ip_forward=1").run()
}

// quiet disables offloads on all interfaces.
func (n *Network) quiet(ctx context.Context) error {
	for _, m := range Machines() {
		if err := n.plain(ctx, m.Name, "eth0"); err != nil {
			return err
		}
	}
	return errors.Join(n.plain(ctx, Router, "wan0"), n.plain(ctx, Outside, "eth0"))
}

// plain disables the offloads of an interface, so that frames look as on a cable: no segments of 64 KB, and complete
// checksums.
func (n *Network) plain(ctx context.Context, ns, dev string) error {
	return n.Command(ctx, ns, "ethtool", "-K", dev, "tso", "off", "gso", "off", "gro", "off", "tx", "off").run()
}

// Close ends the processes in the namespaces and removes the namespaces.
func (n *Network) Close() error {
	var names []string
	for _, name := range n.names {
		names = append(names, n.Namespace(name))
	}
	err := remove(names)
	if n.relay != nil {
		_ = n.relay.Wait() // it was killed
	}
	return errors.Join(err, unlock(n.run, n.lock))
}
