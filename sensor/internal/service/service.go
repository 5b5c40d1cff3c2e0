// SPDX-License-Identifier: Apache-2.0

// Package service tells a service manager how the sensor is, by sd_notify(3). Without one (no NOTIFY_SOCKET) it says nothing.
package service

import (
	"context"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Manager is the service manager. Told, if set, takes what could not be told to it.
type Manager struct{ Told func(error) }

func (m Manager) say(lines ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(lines, "\n")); err != nil && m.Told != nil {
		m.Told(err)
	}
}

// Ready says that the sensor captures, after a start or a reload. The status is shown by systemctl status.
func (m Manager) Ready(status string) { m.say(daemon.SdNotifyReady, "STATUS="+oneLine(status)) }

// Status says how the sensor is now.
func (m Manager) Status(text string) { m.say("STATUS=" + oneLine(text)) }

// Reloading says that configuration and inventory are read again; Ready must follow.
func (m Manager) Reloading() {
	m.say(daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
}

// Stopping says that the sensor ends.
func (m Manager) Stopping() { m.say(daemon.SdNotifyStopping) }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Beat is a part of the sensor and how often it has gone round. In a part that works the number grows at least ten times a second, traffic
// or not.
type Beat struct {
	Part  string
	Count uint64
}

// Watch feeds the watchdog of the manager, if it has set one (WATCHDOG_USEC), until ctx ends: three times in its interval, and only when
// every part has gone round since. When a part stands still, stuck is called once with its name and the manager is left to act.
func (m Manager) Watch(ctx context.Context, beats func() []Beat, stuck func(part string)) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil && m.Told != nil {
		m.Told(err)
	}
	if interval <= 0 {
		return
	}
	t := time.NewTicker(interval / 3)
	defer t.Stop()
	last, told := map[string]uint64{}, map[string]bool{}
	for {
		alive := true
		for _, b := range beats() {
			was, known := last[b.Part]
			stands := known && was == b.Count
			if stands && !told[b.Part] {
				stuck(b.Part)
			}
			last[b.Part], told[b.Part], alive = b.Count, stands, alive && !stands
		}
		if alive {
			m.say(daemon.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
