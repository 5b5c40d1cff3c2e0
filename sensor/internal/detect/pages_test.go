// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
)

func TestOutboundPage(t *testing.T) {
	checkPage(t, "D01", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		v := s.connect(silent, "198.51.100.23:443")
		s.c.Now += 42 * second
		s.end(v, 51_200, 7_400)
		return s
	})
}

func TestWakePage(t *testing.T) {
	checkPage(t, "D02", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for range 301 { // a session after days of silence is told by D01
			s.open(17, silent, "10.20.1.53:53")
			s.wait(second)
		}
		return s
	})
}

func TestRolePage(t *testing.T) {
	checkPage(t, "D05", func(t *testing.T) *stage {
		s := newStage(t, contract.Entry{Name: "cam-12", Match: contract.Match{IP: netip.MustParseAddr("10.20.30.22")}, Expect: contract.Normal})
		s.open(17, "10.20.30.22", "10.20.1.53:53")
		d := s.c.Devices.ByKey("cam-12")
		d.Role, d.Level, d.Probability = device.Camera, device.Identified, 0.998
		s.connect("10.20.30.22", "10.20.10.21:22")
		return s
	})
}

func TestCallbackPage(t *testing.T) {
	checkPage(t, "D06", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for range 6 {
			s.attempt(silent, "198.51.100.200:6667")
			s.wait(90 * second)
		}
		return s
	})
}

func TestExposurePage(t *testing.T) {
	checkPage(t, "D07", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		s.connect(foreign, silent+":22")
		return s
	})
}

func TestLoginPage(t *testing.T) {
	checkPage(t, "D08", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		s.event(detect.SessionFact, s.connect(foreign, silent+":22"), &dissect.SSHAuth{Result: dissect.OutcomeSuccess})
		return s
	})
}

func TestBruteForcePage(t *testing.T) {
	checkPage(t, "D09", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for i := range 14 {
			s.event(detect.SessionFact, s.connect(foreign, silent+":23"), &dissect.Login{Protocol: "telnet", Result: dissect.OutcomeFailure})
			s.wait(second * int64(3+i%4))
		}
		return s
	})
}

func TestScanPage(t *testing.T) {
	checkPage(t, "D13", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for i := range 8 {
			s.attempt(silent, fmt.Sprintf("10.20.30.%d:554", 11+i))
			s.wait(2 * second)
		}
		return s
	})
}

func TestMiraiPage(t *testing.T) {
	checkPage(t, "D14", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		v := s.view(6, silent, "192.0.2.115:23")
		v.SynSeq, v.SynOptLen = binary.BigEndian.Uint32([]byte{192, 0, 2, 115}), 0
		s.event(detect.SessionOpened, v, nil)
		return s
	})
}

func TestUploadPage(t *testing.T) {
	checkPage(t, "D18", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		v := s.connect(silent, "203.0.113.45:443")
		s.c.Now += 10 * minute
		s.end(v, 31_000_000, 240_000)
		return s
	})
}

func TestNewDevicePage(t *testing.T) {
	checkPage(t, "D34", func(t *testing.T) *stage {
		s := newStage(t)
		s.open(17, silent, "10.20.1.53:53")
		s.wait(30 * hour)
		s.open(17, "10.20.50.99", "10.20.1.53:53")
		return s
	})
}

func TestBlindnessPage(t *testing.T) {
	checkPage(t, "D41", func(t *testing.T) *stage {
		s := newStage(t)
		s.wait(second)
		s.c.Quality = detect.Quality{OneWayShare: 0.42, OneWay: true}
		s.wait(6 * minute)
		return s
	})
}

func TestChainPage(t *testing.T) {
	checkPage(t, "D42", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		v := s.connect(foreign, silent+":22")
		s.wait(minute)
		s.event(detect.SessionFact, v, &dissect.SSHAuth{Result: dissect.OutcomeSuccess})
		s.wait(9 * minute)
		s.connect(silent, "198.51.100.23:443")
		return s
	})
}
