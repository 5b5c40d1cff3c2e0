// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stillwatch/internal/testneed"
)

// segment is a network namespace with a cable in it: frames sent at src0 arrive at span0, the mirror port. Neither end has an
// address, and the kernel sends nothing on its own.
type segment struct{ name string }

var segments atomic.Uint32

func newSegment(t *testing.T) *segment {
	t.Helper()
	if os.Geteuid() != 0 {
		testneed.Missing(t, testneed.RootNeed, "making a network namespace takes root")
	}
	testneed.Command(t, "ip")
	n := &segment{fmt.Sprintf("sw%d-%d", os.Getpid(), segments.Add(1))}
	if out, err := exec.Command("ip", "netns", "add", n.name).CombinedOutput(); err != nil {
		testneed.Missing(t, testneed.RootNeed, "no network namespace: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", n.name).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	n.sh(t, `ip link add span0 type veth peer name src0
		ip link set span0 addrgenmode none; ip link set src0 addrgenmode none
		ip link set lo up; ip link set span0 up; ip link set src0 up`)
	return n
}

func (n *segment) sh(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.Command("ip", "netns", "exec", n.name, "sh", "-ec", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", script, err, out)
	}
	return string(out)
}

// in runs f in the namespace. If the thread cannot return to its own namespace, it ends.
func (n *segment) in(t *testing.T, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		there, err := os.Open("/run/netns/" + n.name)
		if err == nil {
			defer there.Close()
			if err = unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err == nil {
				err = f()
			}
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// cable is the end of the cable that sends.
type cable struct {
	fd int
	to unix.SockaddrLinklayer
}

// openCable opens the cable of the namespace that the caller is in.
func openCable() (*cable, error) {
	i, err := net.InterfaceByName("src0")
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	return &cable{fd, unix.SockaddrLinklayer{Ifindex: i.Index}}, err
}

func (c *cable) put(frame []byte) error { return unix.Sendto(c.fd, frame, 0, &c.to) }

func (c *cable) close() { unix.Close(c.fd) }

// send sends frames, as fast as the other end can receive without loss.
func (n *segment) send(t *testing.T, frames [][]byte) {
	t.Helper()
	n.in(t, func() error {
		c, err := openCable()
		if err != nil {
			return err
		}
		defer c.close()
		for k, f := range frames {
			if err := c.put(f); err != nil {
				return err
			}
			if k%256 == 255 {
				time.Sleep(time.Millisecond)
			}
		}
		return nil
	})
}

// counters returns the packet counters of an interface.
type portCounters struct {
	RX struct{ Packets uint64 }
	TX struct{ Packets uint64 }
}

func (n *segment) counters(t *testing.T, iface string) portCounters {
	t.Helper()
	var all []struct{ Stats64 portCounters }
	if err := json.Unmarshal([]byte(n.sh(t, "ip -s -j link show "+iface)), &all); err != nil || len(all) != 1 {
		t.Fatalf("%v, %d interfaces", err, len(all))
	}
	return all[0].Stats64
}
