// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package capture

import "errors"

// OpenLive opens a port: on Linux only.
func OpenLive(LiveConfig) (*Live, error) {
	return nil, errors.New("live capture is there on Linux only; record the traffic and replay it")
}

// SetWatch has nothing to do where there is no live capture.
func (l *Live) SetWatch(LiveConfig) error { return nil }
