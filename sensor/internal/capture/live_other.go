// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package capture

import "errors"

// OpenLive returns an error: live capture needs Linux.
func OpenLive(LiveConfig) (*Live, error) {
	return nil, errors.New("live capture needs Linux; record the traffic and replay it")
}

// SetWatch does nothing.
func (l *Live) SetWatch(LiveConfig) error { return nil }
