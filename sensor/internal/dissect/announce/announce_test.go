// SPDX-License-Identifier: Apache-2.0

package announce

import (
	"bytes"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
)

// echo is a protocol in which each datagram that begins with "i" is an announcement, and one that begins with "a" an action.
var echo = Protocol{
	Name: "echo",
	Info: func(b []byte) *dissect.DeviceInfo {
		if b[0] != 'i' {
			return nil
		}
		return &dissect.DeviceInfo{Model: string(b[1:])}
	},
	Action: func(b []byte) *dissect.DeviceAction {
		if b[0] != 'a' {
			return nil
		}
		return &dissect.DeviceAction{Action: string(b[1:])}
	},
}

func play(p *Protocol, texts ...string) (said string, more bool) {
	d := p.New()
	for _, text := range texts {
		more = d.Datagram(dissect.FromClient, []byte(text), func(f dissect.Fact) {
			switch f := f.(type) {
			case *dissect.DeviceInfo:
				said += f.Protocol + "=" + f.Model + " "
			case *dissect.DeviceAction:
				said += f.Protocol + "!" + f.Action + " "
			}
		})
	}
	return said, more
}

func TestRepeatedAnnouncementIsReadOnce(t *testing.T) {
	if said, more := play(&echo, "i1", "i1", "i2", "i1", "a1", "a1", "?"); said != "echo=1 echo=2 echo!1 echo!1 " || !more {
		t.Errorf("%q, more %v", said, more)
	}
}

func TestSessionIsReadForALimitedTime(t *testing.T) {
	var many []string
	for i := range MaxActions {
		many = append(many, "i"+strings.Repeat("x", i))
	}
	if said, more := play(&echo, many...); strings.Count(said, "=") != MaxInfos || more {
		t.Errorf("%d announcements of %d, more %v", strings.Count(said, "="), len(many), more)
	}
	if _, more := play(&echo, many[:MaxActions-1]...); !more {
		t.Error("actions are read no more")
	}
	announced := echo
	announced.Action = nil
	if said, more := play(&announced, many[:MaxInfos]...); strings.Count(said, "=") != MaxInfos || more {
		t.Errorf("%q, more %v", said, more)
	}
}

func TestRepeatedAnnouncementDoesNotAllocate(t *testing.T) {
	d, again, sink := echo.New(), []byte("i1"), func(dissect.Fact) {}
	d.Datagram(dissect.FromClient, again, sink)
	if n := testing.AllocsPerRun(100, func() { d.Datagram(dissect.FromClient, again, sink) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestBuildDate(t *testing.T) {
	for text, want := range map[string]string{
		"V5.6.2build 190701": "2019-07-01", "V5.4.5 build 170123": "2017-01-23", "V4.1 Build20200229": "2020-02-29", "2.800.0.R, Build Date: 2020-03-20": "2020-03-20",
		"2019-02-28 17:30:58": "2019-02-28", "V5.6.2build 190731x": "",
		"V5.6.2build 191301": "", "V1.0build": "", "3.210.0001.4": "", "": "", "2019-02-30 17:30:58": "", "build 1": "", "2020-1": "",
	} {
		if got := BuildDate([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestTime(t *testing.T) {
	if got := Time([]byte("2024-09-18 09:21:28")); got.Unix() != 1726651288 {
		t.Error(got)
	}
	for _, text := range []string{"1970-01-15 02:44:11", "", "2024-13-18 09:21:28"} {
		if got := Time([]byte(text)); !got.IsZero() {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestText(t *testing.T) {
	if got := Text([]byte("a\x01b\x00c")); got != "a.b" {
		t.Errorf("%q", got)
	}
	if got := JSONText([]byte(`DH\/HCVR \u00e7\n`)); got != "DH/HCVR ç" {
		t.Errorf("%q", got)
	}
	if got := JSONText(bytes.Repeat([]byte("x"), 4000)); len(got) != maxText {
		t.Errorf("%d bytes", len(got))
	}
}

func TestDate(t *testing.T) {
	for text, want := range map[string]string{
		"2020-11-24 16:47:14": "2020-11-24", "build 191215": "2019-12-15", "V5.3.8 build 191215": "2019-12-15", "build:2015-10-10": "2015-10-10", "20201019": "2020-10-19", "Mar 22 2018 10:14": "2018-03-22", "Mar  2 2018 10:14": "2018-03-02",
		"": "", "V5.3.8": "", "1234567": "", "build 991315": "", "2020-13-40": "", "1.120101.2": "2012-01-01",
	} {
		if got := Date([]byte(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
