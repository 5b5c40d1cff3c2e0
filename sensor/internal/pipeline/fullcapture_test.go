// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// copier notes what is asked of it.
type copier struct {
	asked []string
	err   error
}

func (c *copier) FullCopy(a, b packet.Addr, portA, portB uint16, proto uint8, on bool) error {
	c.asked = append(c.asked, fmt.Sprintf("%s:%d %s:%d %d %v", a.Netip(), portA, b.Netip(), portB, proto, on))
	return c.err
}

func findingAbout(port uint16, s detect.Severity) *detect.Finding {
	v := &session.View{Proto: 6, HasPorts: true}
	v.Initiator = session.Endpoint{Addr: packet.AddrFrom4([]byte{10, 0, 0, 1}), Port: port, TTL: 64}
	v.Responder = session.Endpoint{Addr: packet.AddrFrom4([]byte{192, 0, 2, 1}), Port: 443}
	return &detect.Finding{Severity: s, Session: v}
}

func TestFullCapture(t *testing.T) {
	src := &copier{}
	c := fullCapture{src: src}
	c.begin(findingAbout(1, detect.High), 0)
	c.begin(findingAbout(1, detect.Critical), 1e9) // it has that already
	c.begin(findingAbout(2, detect.Medium), 1e9)
	c.begin(&detect.Finding{Severity: detect.High}, 1e9) // about no session
	c.tick(fullCaptureTime - 1)
	want := []string{"10.0.0.1:1 192.0.2.1:443 6 true"}
	if !slices.Equal(src.asked, want) {
		t.Errorf("%q", src.asked)
	}
	c.tick(fullCaptureTime)
	if want = append(want, "10.0.0.1:1 192.0.2.1:443 6 false"); !slices.Equal(src.asked, want) || c.started != 1 || c.failed != 0 {
		t.Errorf("%q, %d started, %d failed", src.asked, c.started, c.failed)
	}
}

func TestFullCapturesAreBounded(t *testing.T) {
	src := &copier{}
	c := fullCapture{src: src}
	for port := range uint16(2 * maxFullCaptures) {
		c.begin(findingAbout(port, detect.High), 0)
	}
	if len(c.sessions) != maxFullCaptures || c.failed != maxFullCaptures || len(src.asked) != maxFullCaptures {
		t.Errorf("%d looks, %d refused, %d asked for", len(c.sessions), c.failed, len(src.asked))
	}
	if c.tick(fullCaptureTime); len(c.sessions) != 0 {
		t.Errorf("%d are left", len(c.sessions))
	}
	src.err = errors.New("no room")
	if c.begin(findingAbout(1, detect.High), 0); len(c.sessions) != 0 || c.failed != maxFullCaptures+1 {
		t.Errorf("%d looks after a refusal, %d refused", len(c.sessions), c.failed)
	}
	(&fullCapture{}).begin(findingAbout(1, detect.High), 0) // of a file: nothing to ask
}
