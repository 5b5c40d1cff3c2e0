// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
)

// The encapsulations of mirrored frames on their way to the sensor.
const (
	Direct = "direct" // unchanged, over a veth pair
	VXLAN  = "vxlan"  // RFC 7348, by the kernel
	GRE    = "gre"    // RFC 2784 with Ethernet frames
	ERSPAN = "erspan" // type II
	RSPAN  = "rspan"  // each frame with the tag of the VLAN that carries it to the sensor (IEEE 802.1Q)
)

// Ways returns all encapsulations.
func Ways() []string { return []string{Direct, VXLAN, GRE, ERSPAN, RSPAN} }

// Mirror describes the mirror port. With OneWay it omits the frames that arrive on the uplink, like a port that was
// configured for one direction.
type Mirror struct {
	Way    string
	OneWay bool
}

// Ids and addresses of the tunnels. The sensor needs no address: the other end has a static entry for its MAC.
const (
	// RemoteVLAN is the VLAN that RSPAN uses.
	RemoteVLAN = 999
	tunnelID   = 4711
	sessionID  = 77 // of ERSPAN, 10 bits
	tunnelFrom = "10.255.0.1"
	tunnelTo   = "10.255.0.2"
	sensorMAC  = "02:00:5e:00:00:02"
	switchMAC  = "02:00:5e:00:00:01"
	jumbo      = 9000 // room for a frame and its tunnel
)

// build creates the mirror port.
func (m Mirror) build(n *Network) func(context.Context) error {
	return func(ctx context.Context) error {
		if !slices.Contains(Ways(), m.Way) {
			return fmt.Errorf("unknown way of the mirror %q: one of %v", m.Way, Ways())
		}
		if err := m.port(ctx, n); err != nil {
			return err
		}
		to, err := m.tunnel(ctx, n)
		if err != nil {
			return err
		}
		return m.copy(ctx, n, to)
	}
}

// port creates the veth pair to the sensor.
func (m Mirror) port(ctx context.Context, n *Network) error {
	return errors.Join(
		batch(ctx, fmt.Sprintf("link add mirror address %s mtu %d type veth peer name %s address %s mtu %d netns %s\nlink set mirror up\n",
			switchMAC, jumbo, SensorPort, sensorMAC, jumbo, n.Namespace(Sensor)), "-n", n.Namespace(Switch)),
		batch(ctx, "link set "+SensorPort+" arp off up\n", "-n", n.Namespace(Sensor)),
	)
}

// tunnel creates the encapsulation and returns the interface that frames are copied to.
func (m Mirror) tunnel(ctx context.Context, n *Network) (string, error) {
	if m.Way == Direct {
		return "mirror", nil
	}
	if m.Way == RSPAN {
		return "relay", m.relay(ctx, n)
	}
	base := fmt.Sprintf("addr add %s/30 dev mirror\nneigh add %s lladdr %s dev mirror nud permanent\n", tunnelFrom, tunnelTo, sensorMAC)
	if err := batch(ctx, base, "-n", n.Namespace(Switch)); err != nil {
		return "", err
	}
	kind := map[string]string{
		VXLAN:  fmt.Sprintf("vxlan id %d local %s remote %s dstport 4789 dev mirror nolearning", tunnelID, tunnelFrom, tunnelTo),
		GRE:    fmt.Sprintf("gretap local %s remote %s", tunnelFrom, tunnelTo),
		ERSPAN: fmt.Sprintf("erspan seq key %d local %s remote %s erspan_ver 1", sessionID, tunnelFrom, tunnelTo),
	}[m.Way]
	err := batch(ctx, "link add tunnel mtu 8900 type "+kind+"\nlink set tunnel up\n", "-n", n.Namespace(Switch))
	if err == nil || m.Way == VXLAN {
		return "tunnel", err
	}
	return "relay", m.relay(ctx, n)
}

// relay starts this program to encapsulate frames, for kernels that cannot.
func (m Mirror) relay(ctx context.Context, n *Network) error {
	if err := batch(ctx, fmt.Sprintf("link add relay mtu %d type veth peer name wrap mtu %d\nlink set relay arp off up\nlink set wrap arp off up\n", jumbo, jumbo), "-n", n.Namespace(Switch)); err != nil {
		return err
	}
	c := n.Command(context.WithoutCancel(ctx), Switch, n.program, "relay", m.Way)
	c.Stderr = os.Stderr
	n.relay = c.Cmd
	return c.Start()
}

// copy mirrors the ingress of each port of the bridge, so that every frame appears once, in both directions.
func (m Mirror) copy(ctx context.Context, n *Network, to string) error {
	for _, machine := range Machines() {
		if m.OneWay && machine.Name == Router {
			continue
		}
		if err := n.Command(ctx, Switch, "tc", "qdisc", "add", "dev", machine.Name, "clsact").run(); err != nil {
			return err
		}
		filter := func(match ...string) Command {
			args := append([]string{"filter", "add", "dev", machine.Name, "ingress", "protocol", "all", "pref", "1"}, match...)
			return n.Command(ctx, Switch, "tc", append(args, "action", "mirred", "egress", "mirror", "dev", to)...)
		}
		// Kernels differ in which of these match-all classifiers they have; the cls_bpf program is "return -1".
		if err := try(filter("matchall"), filter("u32", "match", "u32", "0", "0"), filter("bpf", "bytecode", "1,6 0 0 4294967295,")); err != nil {
			return err
		}
	}
	return nil
}
