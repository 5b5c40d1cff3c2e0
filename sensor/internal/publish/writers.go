// SPDX-License-Identifier: Apache-2.0

package publish

import "stillwatch/schemas"

// Alerts returns a function that writes stamped alerts to sink.
func Alerts(sink Sink) func(*schemas.Alert) error {
	return lines(sink, schemas.AppendAlert)
}

// Incidents returns a function that writes incidents to sink.
func Incidents(sink Sink) func(*schemas.Incident) error {
	return lines(sink, schemas.AppendIncident)
}

// Devices returns a function that writes devices to sink.
func Devices(sink Sink) func(*schemas.Device) error {
	return lines(sink, schemas.AppendDevice)
}

// Sessions returns a function that writes sessions to sink.
func Sessions(sink Sink) func(*schemas.Session) error {
	return lines(sink, func(b []byte, s *schemas.Session) ([]byte, error) {
		return schemas.AppendSession(b, s), nil
	})
}

// lines encodes into a reused buffer, so that a session costs no allocation.
func lines[T any](sink Sink, encode func([]byte, T) ([]byte, error)) func(T) error {
	var buf []byte
	return func(record T) error {
		b, err := encode(buf[:0], record)
		if err != nil {
			return err
		}
		buf = append(b, '\n')
		return sink.Put(buf)
	}
}
