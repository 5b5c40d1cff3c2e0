// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"context"
	"errors"
	"fmt"
)

// The namespaces of NewPair.
const (
	Client = "client"
	Server = "server"
)

// PairPort is the interface in both namespaces of a pair.
const PairPort = "eth0"

// ServerNet is a network whose addresses all belong to the server of a pair.
const ServerNet = "10.77.0.0/16"

const pairClient = "10.78.0.1"

// NewPair creates two namespaces, Client and Server, connected by a veth pair. The server has every address of ServerNet,
// so that each test case can use its own.
func NewPair(ctx context.Context) (*Network, error) {
	if err := Needs(); err != nil {
		return nil, err
	}
	n, err := begin()
	if err != nil {
		return nil, err
	}
	n.names = []string{Client, Server}
	return n, n.make(ctx, func(ctx context.Context) error {
		client, server := n.Namespace(Client), n.Namespace(Server)
		return errors.Join(
			batch(ctx, fmt.Sprintf("link add %s type veth peer name %s netns %s\nlink set %s up\naddr add %s/32 dev %s\n", PairPort, PairPort, server, PairPort, pairClient, PairPort), "-n", client),
			batch(ctx, fmt.Sprintf("link set %s up\nroute add local %s dev %s\nroute add %s dev %s\n", PairPort, ServerNet, PairPort, pairClient, PairPort), "-n", server),
			batch(ctx, fmt.Sprintf("route add %s dev %s\n", ServerNet, PairPort), "-n", client),
			n.plain(ctx, Client, PairPort), n.plain(ctx, Server, PairPort),
		)
	})
}
