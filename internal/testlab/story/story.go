// SPDX-License-Identifier: Apache-2.0

// Package story has the attacks of the lab, and the alerts that the sensor must raise for each.
package story

import (
	"context"
	"fmt"
	"time"

	"stillwatch/internal/testlab/machine"
	"stillwatch/internal/testlab/netns"
	"stillwatch/internal/testlab/progress"
)

// Expectation is an alert that must be raised after a step.
type Expectation struct {
	After  string // key of the step
	Rule   string
	Device string // key of the device
	Title  string // part of the title
	Severe bool   // the severity must be critical
	Whole  bool   // needs a mirror of both directions
}

// Story is an attack with its expectations, in the order of display.
type Story struct {
	Name, Title string
	Expect      []Expectation
	act         func(context.Context) error
}

// Stories returns all stories.
func Stories() []Story {
	return []Story{
		{Name: "S1", Title: "the server that nobody uses", act: actS1, Expect: about(netns.Legacy,
			Expectation{Whole: true, After: s1Scan, Rule: "D07", Title: "probed from outside"},
			Expectation{Whole: true, After: s1Scan, Rule: "D13", Title: "scans the ports"},
			Expectation{Whole: true, After: s1Scan, Rule: "D07", Title: "answers external hosts on 22/tcp"},
			Expectation{Whole: true, After: s1Guess, Rule: "D09", Title: "is guessing passwords of srv-legacy-07 by ssh"},
			Expectation{Whole: true, After: s1Login, Rule: "D08", Title: netns.Intruder + " logged in to srv-legacy-07"},
			Expectation{Whole: true, After: s1Login, Rule: "D09", Title: "guessed a password of srv-legacy-07 by ssh"},
			Expectation{After: s1ARP, Rule: "D13", Title: "scans its network by ARP"},
			Expectation{After: s1Ping, Rule: "D13", Title: "pings many hosts"},
			Expectation{After: s1Ping, Rule: "D01", Title: "sent ICMP to"},
			Expectation{After: s1Ports, Rule: "D01", Title: "opened 22/tcp"},
			Expectation{After: s1Ports, Rule: "D13", Title: "scans for hosts on port"},
			Expectation{After: s1Relay, Rule: "D01", Title: "opened 443/tcp"},
			Expectation{After: s1Spread, Rule: "D01", Title: "to 192.0.2.10"},
			Expectation{After: s1Login, Rule: "D42", Title: "taken over", Severe: true},
		)},
		{Name: "S3", Title: "Telnet on the recorder", act: actS3, Expect: about(netns.Recorder,
			Expectation{Whole: true, After: s3Guess, Rule: "D07", Title: "answers external hosts on 23/tcp"},
			Expectation{Whole: true, After: s3Guess, Rule: "D09", Title: "is guessing passwords of nvr by telnet"},
			Expectation{Whole: true, After: s3Login, Rule: "D08", Title: netns.Worm + " logged in to nvr"},
			Expectation{Whole: true, After: s3Login, Rule: "D09", Title: "guessed a password of nvr by telnet"},
			Expectation{After: machine.BotCalls, Rule: "D01", Title: "4444/tcp to update-cdn.example.com"},
			Expectation{Whole: true, After: machine.BotCallback, Rule: "D06", Title: "keeps calling " + netns.Gone},
			Expectation{After: machine.BotScans, Rule: "D14", Title: "scans like Mirai malware"},
			Expectation{After: s3Login, Rule: "D42", Title: "taken over", Severe: true},
		)},
	}
}

func about(device string, list ...Expectation) []Expectation {
	for i := range list {
		list[i].Device = device
	}
	return list
}

// blind returns the alert that is expected for a one-way mirror.
func blind(sensor string) Expectation {
	return Expectation{Rule: "D41", Device: "sensor:" + sensor, Title: "show one direction only"}
}

// Act runs a story. The caller must be in the namespace outside.
func Act(ctx context.Context, name string) error {
	for _, s := range Stories() {
		if s.Name == name {
			return s.act(ctx)
		}
	}
	return fmt.Errorf("no story is called %q", name)
}

func report(who, key, format string, args ...any) {
	progress.Report(who, key, fmt.Sprintf(format, args...))
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
