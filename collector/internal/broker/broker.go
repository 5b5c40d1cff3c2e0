// SPDX-License-Identifier: Apache-2.0

// Package broker is an embedded Kafka broker for the demo and for single-machine installations. It listens on the loopback interface
// and stores its records on disk. It has no replication, authentication or TLS.
package broker

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"
)

// MaxMessage is the maximum size of a batch of records, in bytes.
const MaxMessage = 8 << 20

// Config configures the broker. A new broker has no topics.
type Config struct {
	Dir  string      // for its records; created if missing
	Port int         // on 127.0.0.1; 0: any free port
	Log  *zap.Logger // nil: none
}

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
}

// Start starts a broker. Acknowledged records are on disk and survive a crash of the process.
func Start(c Config) (*Broker, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	listen := func(network, address string) (net.Listener, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return net.Listen(network, net.JoinHostPort("127.0.0.1", port)) // no other interface: it has no authentication
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(c.Port), kfake.ListenFn(listen), kfake.ClusterID("stillwatch"),
		kfake.DataDir(c.Dir), kfake.SyncWrites(), kfake.BrokerConfigs(map[string]string{"message.max.bytes": strconv.Itoa(MaxMessage)}),
		kfake.WithLogger(logger{c.Log.Sugar()}))
	if err != nil {
		return nil, fmt.Errorf("broker in %s: %w", c.Dir, err)
	}
	return &Broker{cluster, cluster.ListenAddrs()[0]}, nil
}

// Addr returns host:port of the broker.
func (b *Broker) Addr() string { return b.addr }

// Close stops the broker.
func (b *Broker) Close() { b.cluster.Close() }

// logger forwards errors and warnings.
type logger struct{ log *zap.SugaredLogger }

// Logf implements kfake.Logger.
func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Errorf("broker: "+format, args...)
	case kfake.LogLevelWarn:
		l.log.Debugf("broker: "+format, args...) // failed requests, which the client reports
	}
}
