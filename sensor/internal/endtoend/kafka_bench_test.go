// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/segmentio/kafka-go"

	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testlab/kafkatest"
	"stillwatch/internal/testlab/netsim"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// talkers returns the frames of sessions that servers open although they should be silent, one session for each server.
func talkers(n int) (ips []string, frames [][]netsim.Frame) {
	for i := range n {
		net := netsim.New(uint64(i + 1))
		net.Router("10.20.1.1", "00:1b:54:00:00:01")
		ip := fmt.Sprintf("10.20.10.%d", i+10)
		srv := net.Host(fmt.Sprintf("srv-%d", i), ip, fmt.Sprintf("b8:ca:3a:00:01:%02x", i), netsim.Linux)
		far := net.External("198.51.100.23", netsim.Linux, 40*time.Millisecond)
		c := net.DialTLS(began().Add(time.Duration(i)*5*time.Second), srv, far, 443, netsim.TLSClient{SNI: "c2.example.net"}, netsim.TLSServer{})
		c.Close()
		ips, frames = append(ips, ip), append(frames, net.Frames())
	}
	return ips, frames
}

// BenchmarkPacketToAcknowledged writes the packets of a session into a pipe that the sensor reads, and waits until a consumer has the alert,
// which it gets only after all replicas have acknowledged it.
func BenchmarkPacketToAcknowledged(b *testing.B) {
	c := kafkatest.Start(b, cluster.Options{Fast: true})
	kafkatest.Topic(b, c, schemas.AlertTopic, 1, nil)
	kafkatest.Topic(b, c, schemas.IncidentTopic, 1, nil)
	kafkatest.Topic(b, c, schemas.DeviceTopic, 1, nil)
	kafkatest.Topic(b, c, schemas.EvidenceTopic, 1, nil)
	path, err := builtProgram()
	if err != nil {
		b.Fatal(err)
	}
	fifo := filepath.Join(b.TempDir(), "live")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		testneed.Missing(b, "fifo", "no FIFO here: %v", err)
	}
	cmd := exec.Command(path, "replay", "--silent", "10.20.10.0/24", "--kafka", c.Brokers(cluster.Plaintext), "--spool", filepath.Join(b.TempDir(), "spool"), fifo)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	in, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	w := pcapgo.NewWriter(in)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		b.Fatal(err)
	}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: strings.Split(c.Brokers(cluster.Plaintext), ","), Topic: schemas.AlertTopic, MaxWait: 10 * time.Millisecond})
	defer r.Close()
	var took []time.Duration
	ips, frames := talkers(200)
	for i, ip := range ips {
		start := time.Now()
		for _, f := range frames[i] {
			if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: f.Time, CaptureLength: len(f.Data), Length: f.Len}, f.Data); err != nil {
				b.Fatal(err)
			}
		}
		for {
			m, err := r.ReadMessage(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			if strings.Contains(string(m.Value), `"ip":"`+ip+`"`) {
				break
			}
		}
		took = append(took, time.Since(start))
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	took = took[20:] // connections, and the broker's compiler
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
