// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// properties returns server.properties of the node.
func (n *Node) properties() []byte {
	copies, quorum := min(len(n.c.Nodes), 3), 1
	if len(n.c.Nodes) >= 3 {
		quorum = 2
	}
	p := map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          strconv.Itoa(n.ID),
		"controller.quorum.voters":                         n.voters(),
		"listeners":                                        n.listeners(listeners()...),
		"advertised.listeners":                             n.listeners(Plaintext, SASLPlaintext, SASLTLS, MutualTLS),
		"listener.security.protocol.map":                   "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT",
		"controller.listener.names":                        controller,
		"inter.broker.listener.name":                       Plaintext,
		"log.dirs":                                         n.file("data"),
		"num.partitions":                                   "1",
		"offsets.topic.num.partitions":                     "4",
		"offsets.topic.replication.factor":                 strconv.Itoa(copies),
		"transaction.state.log.replication.factor":         strconv.Itoa(copies),
		"transaction.state.log.min.isr":                    strconv.Itoa(quorum),
		"share.coordinator.state.topic.replication.factor": strconv.Itoa(copies),
		"share.coordinator.state.topic.min.isr":            strconv.Itoa(quorum),
		"group.initial.rebalance.delay.ms":                 "0",
		"auto.create.topics.enable":                        "false",
		"broker.session.timeout.ms":                        "3000", // a killed leader is detected after three seconds
		"broker.heartbeat.interval.ms":                     "500",
		"num.network.threads":                              "2",
		"num.io.threads":                                   "2",
		"sasl.enabled.mechanisms":                          "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		"ssl.keystore.type":                                "PEM",
		"ssl.keystore.location":                            filepath.Join(n.c.Dir, "server.pem"),
		"ssl.truststore.type":                              "PEM",
		"ssl.truststore.location":                          filepath.Join(n.c.Dir, "ca.pem"),
		"listener.name.ssl.ssl.client.auth":                "required",
		"listener.name.sasl_ssl.ssl.client.auth":           "none",
		// A topic without an ACL is open to all: a test of a missing right sets one.
		"authorizer.class.name":          "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"allow.everyone.if.no.acl.found": "true",
		"super.users":                    "User:ANONYMOUS;User:admin",
	}
	for _, l := range []string{"sasl_plaintext", "sasl_ssl"} {
		maps.Copy(p, jaas(l))
	}
	maps.Copy(p, n.c.Options.Properties)
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", k, p[k])
	}
	return b.Bytes()
}

func (n *Node) voters() string {
	var all []string
	for _, m := range n.c.Nodes {
		all = append(all, fmt.Sprintf("%d@%s", m.ID, m.Address(controller)))
	}
	return strings.Join(all, ",")
}

func (n *Node) listeners(names ...string) string {
	var all []string
	for _, l := range names {
		all = append(all, l+"://"+n.Address(l))
	}
	return strings.Join(all, ",")
}

// jaas returns the JAAS configuration of a listener: PLAIN uses the users in this file, SCRAM those in the formatted log.
func jaas(listener string) map[string]string {
	plain := "org.apache.kafka.common.security.plain.PlainLoginModule required"
	for _, u := range Users() {
		plain += fmt.Sprintf(" user_%s=%q", u, Password(u))
	}
	const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
	prefix := "listener.name." + listener
	return map[string]string{
		prefix + ".plain.sasl.jaas.config":         plain + ";",
		prefix + ".scram-sha-256.sasl.jaas.config": scram,
		prefix + ".scram-sha-512.sasl.jaas.config": scram,
	}
}
