// SPDX-License-Identifier: Apache-2.0

// Package broker is the embedded broker for the demonstration and for everything on one machine: it speaks the Kafka
// protocol on the loopback interface and keeps its records on disk. It has one copy of each record, no users and no TLS.
package broker

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"
)

// MaxMessage is the size of the largest batch of records that is taken, in bytes.
const MaxMessage = 8 << 20

// Config says where the broker listens and where its records lie. It has no topics of itself: its user makes them.
type Config struct {
	Dir  string      // for its records; made when it is not there
	Port int         // of 127.0.0.1; 0: a free one
	Log  *zap.Logger // nil: none
}

// Broker is running from Start to Close.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
}

// Start starts a broker. A record that it has acknowledged is on disk: it survives the end of the process.
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
		return net.Listen(network, net.JoinHostPort("127.0.0.1", port)) // never another interface: it has no users
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(c.Port), kfake.ListenFn(listen), kfake.ClusterID("stillwatch"),
		kfake.DataDir(c.Dir), kfake.SyncWrites(), kfake.BrokerConfigs(map[string]string{"message.max.bytes": strconv.Itoa(MaxMessage)}),
		kfake.WithLogger(logger{c.Log.Sugar()}))
	if err != nil {
		return nil, fmt.Errorf("broker in %s: %w", c.Dir, err)
	}
	return &Broker{cluster, cluster.ListenAddrs()[0]}, nil
}

// Addr gives host:port of the broker.
func (b *Broker) Addr() string { return b.addr }

// Close ends it.
func (b *Broker) Close() { b.cluster.Close() }

// logger passes on what is wrong, and no more.
type logger struct{ log *zap.SugaredLogger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Errorf("broker: "+format, args...)
	case kfake.LogLevelWarn:
		l.log.Debugf("broker: "+format, args...) // requests that fail, which their sender sees
	}
}
