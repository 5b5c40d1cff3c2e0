// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"stillwatch/internal/testlab/evasion"
)

// readStories returns the captures in the folders of a directory, with the labels that their README.md has.
func readStories(dir string) ([]sample, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*", "README.md"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no story in %s", dir)
	}
	var all []sample
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		folder := filepath.Dir(p)
		s := sample{name: filepath.Base(folder), path: filepath.Join(folder, "input.pcap"), inventory: []string{"--inventory", filepath.Join(folder, "inventory.yaml")}}
		if err := s.readLabels(string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		all = append(all, s)
	}
	return all, nil
}

const dayTime = `[A-Z][a-z]{2} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)`

var (
	spanLine   = regexp.MustCompile(`frames, .* from ` + dayTime + ` to ` + dayTime)
	deviceRow  = regexp.MustCompile(`(?m)^\| ([a-z][\w-]*) \| (\d[\d.]*) \| ((?:[0-9a-f]{2}:){5}[0-9a-f]{2}) \|`)
	attackRow  = regexp.MustCompile(`(?m)^\| ` + dayTime + ` \| \*\*attack\*\* \|`)
	expectRow  = regexp.MustCompile(`(?m)^\| (D\d\d)([^|]*) \| ([^|]+) \| ` + dayTime + ` \|`)
	entryLines = regexp.MustCompile(`- name: (\S+)\n    match: \{mac: "([^"]+)"\}`)
)

func parseTime(s string) (int64, error) {
	t, err := time.Parse("2006-01-02 15:04:05", s)
	return t.UnixNano(), err
}

// readLabels reads the README of a story: who is there, when the attack begins, and which alerts are expected.
func (s *sample) readLabels(text string) error {
	m := spanLine.FindStringSubmatch(text)
	devices := deviceRow.FindAllStringSubmatch(text, -1)
	if m == nil || len(devices) == 0 {
		return fmt.Errorf("it does not name its devices and times")
	}
	begin, err := parseTime(m[1])
	if err != nil {
		return err
	}
	end, err := parseTime(m[2])
	if err != nil {
		return err
	}
	if a := attackRow.FindStringSubmatch(text); a != nil {
		if s.attack, err = parseTime(a[1]); err != nil {
			return err
		}
		end = s.attack
	}
	s.quiet = time.Duration(end-begin).Hours() / 24 * float64(len(devices))
	known := map[string]party{}
	var cameras []party
	for _, d := range devices {
		p := party{key: d[1], mac: d[3], ip: netip.MustParseAddr(d[2])}
		known[p.key] = p
		if strings.HasPrefix(p.key, "cam-") {
			cameras = append(cameras, p)
		}
	}
	for _, e := range expectRow.FindAllStringSubmatch(text, -1) {
		w := want{rule: e[1], who: cameras, text: e[1] + e[2] + " " + e[3]}
		if p, ok := known[e[3]]; ok {
			w.who = []party{p}
		} else if e[3] != "the cameras" {
			return fmt.Errorf("%s is no device of it", e[3])
		}
		if w.from, err = parseTime(e[4]); err != nil {
			return err
		}
		if e[1] == "D42" && len(w.who) == 1 {
			s.attacked = &w.who[0]
		}
		s.wants = append(s.wants, w)
	}
	return nil
}

// writeEvasions writes the captures of attacks that try to stay unseen and returns those that a rule reports.
func writeEvasions(dir string) ([]sample, error) {
	inventory := filepath.Join(dir, "inventory.yaml")
	if err := os.WriteFile(inventory, []byte(evasion.Inventory), 0o600); err != nil {
		return nil, err
	}
	macs := map[string]string{}
	for _, m := range entryLines.FindAllStringSubmatch(evasion.Inventory, -1) {
		macs[m[1]] = m[2]
	}
	var all []sample
	for _, c := range evasion.Cases() {
		if c.Missed != "" {
			continue
		}
		b, err := c.Capture()
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, c.Name+".pcap")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return nil, err
		}
		mac := macs[c.Device]
		if mac == "" {
			mac = strings.TrimPrefix(c.Device, "mac:")
		}
		s := sample{name: c.Name, path: path, wants: []want{{rule: c.Rule, who: []party{{key: c.Device, mac: mac}}, from: evasion.Start().UnixNano(), text: c.Rule}}}
		if !c.Bare {
			s.inventory = []string{"--inventory", inventory}
		}
		all = append(all, s)
	}
	return all, nil
}

// row is a line of the truth of public captures.
type row struct {
	Capture  string
	Args     []string
	DeviceIP netip.Addr `json:"device_ip"`
	Dst      netip.Addr
	Match    string
	Scope    string
	Days     float64 `json:"device_days"`
	DontCare bool    `json:"dont_care"`
	Label    string
}

// readCorpus returns the captures of a folder that are labelled as malicious or as benign as a whole; nothing if the folder does not exist.
func readCorpus(dir string) ([]sample, error) {
	var all []sample
	place := map[string]int{}
	for _, kind := range []string{"malicious", "benign"} {
		text, err := os.ReadFile(filepath.Join(dir, "truth", kind+".jsonl"))
		if os.IsNotExist(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			var r row
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				return nil, fmt.Errorf("truth of %s captures: %w", kind, err)
			}
			if r.DontCare || kind == "benign" && r.Scope == "peer" {
				continue
			}
			i, ok := place[kind+r.Capture]
			if !ok {
				i = len(all)
				place[kind+r.Capture] = i
				all = append(all, sample{name: r.Capture, path: filepath.Join(dir, "captures", filepath.FromSlash(r.Capture))})
			}
			s := &all[i]
			if kind == "benign" {
				s.benign, s.quiet, s.always = true, s.quiet+r.Days, r.Args
				continue
			}
			s.inventory = r.Args
			w := want{who: []party{{ip: r.DeviceIP}}, text: r.Label}
			if r.Match == "peer" {
				w.peer = r.Dst
			}
			s.wants = append(s.wants, w)
		}
	}
	return all, nil
}
