// SPDX-License-Identifier: Apache-2.0

package device

import "stillwatch/sensor/internal/session"

// Orient corrects the direction of a TCP session that was captured from the middle: the endpoint that has answered on its port before is
// the responder. Port numbers alone mislead if a server uses an unusual port or is attacked from a well-known one.
func (r *Registry) Orient(v *session.View) {
	if v.Proto != protoTCP || !v.Unconfirmed || v.Basis != session.BasisFirstPacket && v.Basis != session.BasisPort {
		return
	}
	switch v.State {
	case session.Midstream, session.Reset, session.Closed:
	default: // a probe without an answer
		return
	}
	if r.listens(&v.Initiator) && !r.listens(&v.Responder) {
		v.Turn()
		v.Basis = session.BasisPort
	}
}

// listens reports whether a device at that address has answered on that port.
func (r *Registry) listens(e *session.Endpoint) bool {
	b := r.binding(e.Addr)
	return b != nil && b.dev != nil && !b.dev.Router && b.dev.ServesOn(e.Port, "tcp") != nil
}
