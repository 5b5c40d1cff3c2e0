// SPDX-License-Identifier: Apache-2.0

// Package service reports the state of the sensor to the service manager with sd_notify(3). Without a manager (no NOTIFY_SOCKET) it does
// nothing.
package service

import (
	"context"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Manager is the service manager. Report, if set, is called with errors of the notification.
type Manager struct{ Report func(error) }

func (m Manager) say(lines ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(lines, "\n")); err != nil && m.Report != nil {
		m.Report(err)
	}
}

// Ready reports that the sensor captures, after a start or a reload. systemctl status shows the text.
func (m Manager) Ready(status string) { m.say(daemon.SdNotifyReady, "STATUS="+oneLine(status)) }

// Status reports a status text.
func (m Manager) Status(text string) { m.say("STATUS=" + oneLine(text)) }

// Reloading reports that configuration and inventory are being reloaded; Ready must follow.
func (m Manager) Reloading() {
	m.say(daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
}

// Stopping reports that the sensor is stopping.
func (m Manager) Stopping() { m.say(daemon.SdNotifyStopping) }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Beat is the heartbeat of a part of the sensor. While the part works, the count grows at least ten times a second, with or without traffic.
type Beat struct {
	Part  string
	Count uint64
}

// Watch feeds the watchdog of the manager, if it has one (WATCHDOG_USEC), until ctx ends: three times per interval, and only if the count of
// every part has grown since. When a part is stuck, it calls stuck once with its name and leaves the restart to the manager.
func (m Manager) Watch(ctx context.Context, beats func() []Beat, stuck func(part string)) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil && m.Report != nil {
		m.Report(err)
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
			stopped := known && was == b.Count
			if stopped && !told[b.Part] {
				stuck(b.Part)
			}
			last[b.Part], told[b.Part], alive = b.Count, stopped, alive && !stopped
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
