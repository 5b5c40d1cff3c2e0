// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// label is one line of the truth: which device of a capture is what. An empty list is not known.
type label struct {
	Capture, Source, Group, MAC, IP string
	Vendor, Model, Role, Firmware   oneOrMore
}

// oneOrMore is a text or a list of texts.
type oneOrMore []string

func (l *oneOrMore) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// kind returns the type of the device: devices of one product have one.
func (l *label) kind() string {
	if l.Group != "" {
		return l.Group
	}
	return strings.Join(slices.Concat(l.Vendor[:min(1, len(l.Vendor))], l.Role[:min(1, len(l.Role))]), " ")
}

// record is a device as the sensor writes it.
type record struct {
	Key, MAC    string
	IPs         []string
	Vendor      string
	Model       string
	Firmware    string
	Role        string
	Level       string  `json:"role_level"`
	Probability float64 `json:"role_probability"`
	Evidence    []observation
}

type observation struct {
	Source, Value, Says string
	Points              float64 `json:"points_db"`
}

// vendor returns the vendor that the observation speaks for.
func (o *observation) vendor() string {
	_, s, _ := strings.Cut(o.Says, "vendor=")
	s, _, _ = strings.Cut(s, ", ")
	return s[:max(0, strings.LastIndexByte(s, ' '))]
}

// sample is a labelled device with what the sensor said of it.
type sample struct {
	label
	record
	seen  bool
	votes []cast
}

// cast is an observation as a vote for roles.
type cast struct {
	row   *row
	group int
	share float64
}

// groupOf returns the group of evidence of each source (docs/devices.md).
var groupOf = func() map[string]int {
	m := map[string]int{}
	for i, sources := range []string{
		"oui mac dhcp_vendor_class hostname dhcp_parameter_list mud_url",
		"mdns_service mdns_txt discovery discovery_unchecked discovery_foreign system_text",
		"http_server http_realm http_title http_uri rtsp_server rtsp_realm banner certificate ssh_server answer system_answer recog",
		"ssh_client user_agent http_request tcp_stack",
		"name serves pulls_rtsp many_names topology uses sends_media many_clients platform",
	} {
		for _, s := range strings.Fields(sources) {
			m[s] = i
		}
	}
	return m
}()

// readLabels reads the truth, in the order of the file.
func readLabels(file string) (all []label, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(bytes.NewReader(text)); d.More(); {
		var l label
		if err := d.Decode(&l); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// replayAll returns the labelled devices as the sensor sees them. In captures of the set o.external all addresses are internal.
func replayAll(o *options, labels []label, t *table) (all []*sample, err error) {
	seen := map[string][]record{}
	for _, l := range labels {
		devices, ok := seen[l.Capture]
		if !ok {
			var args []string
			if l.Source == o.external && o.external != "" {
				args = []string{"--internal", "0.0.0.0/0"}
			}
			if devices, err = replay(o.sensor, filepath.Join(o.captures, l.Capture), args); err != nil {
				return nil, err
			}
			seen[l.Capture] = devices
		}
		s := &sample{label: l}
		if i := slices.IndexFunc(devices, func(d record) bool { return d.is(&l) }); i >= 0 {
			s.record, s.seen = devices[i], true
		}
		if err := s.count(t); err != nil {
			return nil, fmt.Errorf("%s: %w", l.Capture, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func replay(sensor, capture string, args []string) (devices []record, err error) {
	cmd := exec.Command(sensor, slices.Concat([]string{"devices", "--json"}, args, []string{capture})...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && len(out) == 0 { // a damaged capture has records, too
		return nil, fmt.Errorf("%s: %w: %.300s", capture, err, stderr.String())
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var r record
		if err := d.Decode(&r); err != nil {
			return nil, fmt.Errorf("%s: %w", capture, err)
		}
		devices = append(devices, r)
	}
	return devices, nil
}

// is reports whether a record is of the labelled device.
func (d *record) is(l *label) bool {
	if l.MAC != "" {
		return strings.EqualFold(d.MAC, l.MAC)
	}
	a, err := netip.ParseAddr(l.IP)
	return err == nil && slices.ContainsFunc(d.IPs, func(s string) bool { b, err := netip.ParseAddr(s); return err == nil && a == b })
}

// count sets the votes of the evidence. An observation for a role that no row explains is an error: table and sensor differ.
func (s *sample) count(t *table) error {
	for i := range s.Evidence {
		o := &s.Evidence[i]
		if !strings.Contains(o.Says, "role=") {
			continue
		}
		r := t.find(o)
		group, ok := groupOf[o.Source]
		if r == nil || len(r.votes) == 0 || !ok {
			return fmt.Errorf("no row for %s %q: is the table that of the sensor?", o.Source, o.Value)
		}
		s.votes = append(s.votes, cast{r, group, r.share(o)})
	}
	return nil
}

// right reports whether a value is one of those expected, as a part of it and without regard to spaces and case.
func right(want oneOrMore, got string) bool {
	return got != "" && slices.ContainsFunc(want, func(w string) bool { return strings.Contains(squeeze(got), squeeze(w)) })
}

func squeeze(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, strings.ToLower(s))
}
