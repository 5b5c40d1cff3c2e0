// SPDX-License-Identifier: Apache-2.0

package http

import "stillwatch/sensor/internal/dissect"

// reportAction reports what the request asked of a camera or recorder, and what this says of itself. p is nil if there is no response.
func (r *exchangeRequest) reportAction(p *exchangeResponse, sink dissect.Sink) {
	if !r.call.Known() {
		return
	}
	a := dissect.DeviceAction{Protocol: r.call.Protocol, Action: r.call.Action, Kind: r.call.Kind, UserHint: r.creds.userHint}
	if p == nil {
		sink(&a)
		return
	}
	a.Result = r.call.Result(p.status, p.device)
	sink(&a)
	if d := r.call.Device(p.device); d != nil && a.Result == dissect.OutcomeSuccess {
		sink(d)
	}
}

// reportActions reports the actions of requests whose response will not be read.
func (h *Stream) reportActions(sink dissect.Sink) {
	for _, r := range h.requests {
		r.reportAction(nil, sink)
		r.call = nil
	}
}
