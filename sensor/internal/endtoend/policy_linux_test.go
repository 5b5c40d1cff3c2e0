// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/schemas"
)

// TestPoliciesFromKafka has a live sensor that reads policies from a topic, after the broker was away: it takes the signed one, and reports the other.
func TestPoliciesFromKafka(t *testing.T) {
	key, config := signer(t)
	other, _ := signer(t)
	d := deploy(t, 0, nil, "--mode", "afpacket", "--silent", "10.20.10.17", "--config", config, "--kafka", "127.0.0.1:19092", "--spool", "DIR/spool")
	d.toldUntil(t, "READY=1")
	var conn net.Conn
	d.in(t, func() error { // the sensor is not in the namespace of the test
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(19092), kfake.SeedTopics(1, schemas.PolicyTopic, schemas.AlertTopic, schemas.IncidentTopic, schemas.DeviceTopic, schemas.EvidenceTopic, schemas.StatusTopic))
		if err != nil {
			return err
		}
		t.Cleanup(c.Close)
		conn, err = net.Dial("tcp", "127.0.0.1:19092")
		return err
	})
	topic := kafka.NewConnWith(conn, kafka.ConnConfig{Topic: schemas.PolicyTopic})
	var all []kafka.Message
	for _, jws := range []string{signWith(t, key, policyRecord("known", 1, suppressAll)), signWith(t, other, policyRecord("forged", 1, suppressAll))} {
		all = append(all, kafka.Message{Key: []byte("p"), Value: []byte(strings.TrimSpace(jws))})
	}
	all[0].Key = []byte("known")
	_, err := topic.WriteMessages(all...)
	if err = errors.Join(err, topic.Close()); err != nil {
		t.Fatal(err)
	}
	call := func(port uint16) {
		n := netsim.New(1)
		n.Router("10.20.1.1", "00:1b:54:00:00:01")
		srv, far := n.Host("srv", "10.20.10.17", "b8:ca:3a:00:00:17", netsim.Linux), n.External("198.51.100.23", netsim.Linux, 40*time.Millisecond)
		n.Dial(began(), srv, far, port).Send([]byte("hello")).Close()
		d.send(t, framesOf(n))
	}
	port, alerts := uint16(4000), filepath.Join(d.dir, "alerts.jsonl")
	waitFor(t, 2*time.Minute, "the policies", func() bool {
		port++
		call(port)
		time.Sleep(time.Second) // a policy is decided about at a tick
		refused, suppressed := false, false
		for _, a := range alertsIn(t, alerts) {
			refused = refused || a.Rule.ID == "D44" && a.Dedupe.Key != "" && strings.Contains(a.Title, "is not trusted")
			suppressed = suppressed || a.SuppressedBy == "known"
		}
		return refused && suppressed
	})
	d.end(t)
}
