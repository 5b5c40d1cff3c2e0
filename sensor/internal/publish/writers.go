// SPDX-License-Identifier: Apache-2.0

package publish

import "stillwatch/schemas"

// Alerts gives a function that writes alerts to sink. They must be stamped.
func Alerts(sink Sink) func(*schemas.Alert) error {
	return lines(sink, schemas.AppendAlert)
}

// Devices gives a function that writes devices to sink.
func Devices(sink Sink) func(*schemas.Device) error {
	return lines(sink, schemas.AppendDevice)
}

// Sessions gives a function that writes sessions to sink.
func Sessions(sink Sink) func(*schemas.Session) error {
	return lines(sink, func(b []byte, s *schemas.Session) ([]byte, error) {
		return schemas.AppendSession(b, s), nil
	})
}

// lines encodes into one buffer that is used again, so that a session costs no allocation here.
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
