// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// story is a capture under construction, with the notes for its README. The README therefore has the times of the
// packets.
type story struct {
	office  *office
	title   string
	summary string
	notes   []note
	expects []expectation
	quiet   []string // what must not raise an alert
}

type note struct {
	at     time.Time
	attack bool
	text   string
}

type expectation struct {
	rule, device string
	at           time.Time
	why          string
}

// generator generates one story.
type generator struct {
	name string
	new  func(seed uint64) *story
}

func generators() []generator {
	return []generator{{"S1", storyS1}, {"S2", storyS2}, {"S3", storyS3}, {"S4", storyS4}, {"S5", storyS5}, {"benign", storyBenign}}
}

func storyNames() []string {
	var out []string
	for _, t := range generators() {
		out = append(out, t.name)
	}
	return out
}

func generate(name string, seed uint64) *story {
	i := slices.IndexFunc(generators(), func(g generator) bool { return g.name == name })
	return generators()[i].new(seed)
}

// benign adds a note about ordinary traffic.
func (s *story) benign(at time.Time, format string, args ...any) {
	s.notes = append(s.notes, note{at, false, fmt.Sprintf(format, args...)})
}

// attack adds a note about an action of the attacker.
func (s *story) attack(at time.Time, format string, args ...any) {
	s.notes = append(s.notes, note{at, true, fmt.Sprintf(format, args...)})
}

// expect adds an alert that the sensor should raise, not before at.
func (s *story) expect(rule, device string, at time.Time, why string) {
	s.expects = append(s.expects, expectation{rule, device, at, why})
}

// awaitedRules lists the rules that the stories expect and the sensor does not have yet. A test of the sensor checks the list.
func awaitedRules() []string {
	return nil
}

// awaited returns the awaited rules of this story, sorted.
func (s *story) awaited() (all []string) {
	for _, rule := range awaitedRules() {
		if slices.ContainsFunc(s.expects, func(e expectation) bool { return strings.HasPrefix(e.rule, rule) }) {
			all = append(all, rule)
		}
	}
	return all
}

const stamp = "Mon 2006-01-02 15:04:05"

func (s *story) readme(name string, size int) string {
	var b strings.Builder
	frames := s.office.Frames()
	fmt.Fprintf(&b, "# %s: %s\n\n%s\n\n", name, s.title, s.summary)
	fmt.Fprintf(&b, "%d frames, %d KiB, from %s to %s (UTC). Written by `go run ./scripts/stories -o DIR`; change the program, not the files.\n\n",
		len(frames), size/1024, frames[0].Time.Format(stamp), frames[len(frames)-1].Time.Format(stamp))
	b.WriteString("## Who is there\n\nOne switched segment, 10.20.0.0/16; external hosts have the MAC of the router.\n\n| device | address | MAC | what it is |\n|---|---|---|---|\n")
	for _, d := range s.office.devices {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", d.host.Name, d.host.IP, d.host.MAC, d.what)
	}
	s.writeTimeline(&b)
	s.writeExpected(&b)
	return b.String()
}

func (s *story) writeTimeline(b *strings.Builder) {
	b.WriteString("\n## What happens\n\nOrdinary traffic continues through the whole capture. Each kind is listed once, with the time of its first packet.\n\n| time (UTC) | | |\n|---|---|---|\n")
	notes := slices.Clone(s.notes)
	slices.SortStableFunc(notes, func(x, y note) int { return x.at.Compare(y.at) })
	for _, n := range notes {
		kind := "benign"
		if n.attack {
			kind = "**attack**"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", n.at.Format(stamp), kind, n.text)
	}
}

func (s *story) writeExpected(b *strings.Builder) {
	b.WriteString("\n## What a reader should expect\n\n")
	if len(s.expects) == 0 {
		b.WriteString("No alert. Informational findings (Digest logins, new devices) are no alert.\n")
	} else {
		b.WriteString("The time is that of the packet that completes the evidence; the alert may follow one tick later.\n\n| rule | device | from | because |\n|---|---|---|---|\n")
		for _, e := range s.expects {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", e.rule, e.device, e.at.Format(stamp), e.why)
		}
	}
	if len(s.expects) > 0 {
		if awaited := s.awaited(); len(awaited) > 0 {
			fmt.Fprintf(b, "\n**`want.jsonl` is what today's detectors tell, and not yet the whole table**: it holds no alert of the awaited rules %s, nor their "+
				"part of a chain (D42).\n", strings.Join(awaited, ", "))
		}
		b.WriteString("\nFurther alerts about the same packets are acceptable; an alert about ordinary traffic is an error.\n")
	}
	if len(s.quiet) > 0 {
		b.WriteString("\nWhat must stay quiet:\n\n")
		for _, q := range s.quiet {
			fmt.Fprintf(b, "- %s\n", q)
		}
	}
}
