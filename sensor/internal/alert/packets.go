// SPDX-License-Identifier: Apache-2.0

package alert

import "stillwatch/schemas"

// packets is the file with the packets of an alert.
type packets struct {
	file    schemas.PCAP
	summary string
}

// ExpectPackets expects AttachPackets for the alert whose revision is being emitted.
func (m *Manager) ExpectPackets() {
	if m.reporting != nil {
		m.awaiting[m.reporting.id] = m.reporting
	}
}

// AttachPackets adds the file with its packets to an alert, which the next revision names. It reports false if the alert is over: it was closed, or
// another one absorbed it.
func (m *Manager) AttachPackets(id string, file schemas.PCAP, summary string) bool {
	o := m.awaiting[id]
	delete(m.awaiting, id)
	if o == nil || o.gone {
		return false
	}
	o.packets, o.dirty = &packets{file, summary}, true
	m.saved.add(o)
	m.postpone(o)
	return true
}

// fillPackets names the file in a record.
func (o *open) fillPackets(a *schemas.Alert) {
	if o.packets == nil {
		return
	}
	if len(a.Evidence) >= maxEvidence {
		a.Evidence = a.Evidence[:maxEvidence-1]
	}
	file, at := o.packets.file, schemas.Time(o.created)
	a.Evidence = append(a.Evidence, schemas.AlertEvidence{Kind: "packets", Time: &at, Summary: o.packets.summary, PCAP: &file})
}
