// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"slices"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
)

// maxWaiting bounds the requests that wait for their answer, and the answers that wait for their request.
const maxWaiting = 16

// request is a login or an action that waits for its answer, which repeats id.
type request struct {
	id    uint32
	hint  string       // of the user name
	call  *Call        // nil for a login
	check logins.Check // of a login
	proof bool         // of a login: a password or a hash was sent
}

// answer is the answer to a request. plain is the result of a login without a proof.
type answer struct {
	id                   uint32
	proof, plain, action dissect.Outcome
	device               *dissect.DeviceInfo // nil if it says nothing about the device
}

// dialogue pairs requests with their answers, in whatever order the two directions arrive, and reports each request once.
type dialogue struct {
	login   logins.Attempt
	user    string // the hint of the last login
	realm   string // of the last challenge of global.login
	random  string
	waiting []request
	answers []answer
	ended   bool      // no more answers will be read
	turn    [2]uint32 // messages of each side, where answers come in the order of requests
	media   uint32    // of HCNetSDK: the request behind whose answer the server sends media; 0: none
}

func (d *dialogue) ask(q request, sink dissect.Sink) {
	if q.proof {
		d.user = q.hint
	}
	i := slices.IndexFunc(d.answers, func(a answer) bool { return a.id == q.id })
	switch {
	case i >= 0:
		a := d.answers[i]
		d.answers = slices.Delete(d.answers, i, i+1)
		d.report(q, a, sink)
		return
	case d.ended:
		d.report(q, answer{}, sink)
		return
	case len(d.waiting) == maxWaiting:
		d.report(d.waiting[0], answer{}, sink)
		d.waiting = slices.Delete(d.waiting, 0, 1)
	}
	d.waiting = append(d.waiting, q)
}

// do notes a request to do something.
func (d *dialogue) do(id uint32, call *Call, sink dissect.Sink) {
	if call != nil {
		d.ask(request{id: id, hint: d.user, call: call}, sink)
	}
}

func (d *dialogue) answer(a answer, sink dissect.Sink) {
	i := slices.IndexFunc(d.waiting, func(q request) bool { return q.id == a.id })
	if i >= 0 {
		q := d.waiting[i]
		d.waiting = slices.Delete(d.waiting, i, i+1)
		d.report(q, a, sink)
		return
	}
	if len(d.answers) == maxWaiting {
		d.answers = slices.Delete(d.answers, 0, 1)
	}
	d.answers = append(d.answers, a)
}

func (d *dialogue) report(q request, a answer, sink dissect.Sink) {
	if q.call == nil {
		d.reportLogin(q, a, sink)
		return
	}
	sink(&dissect.DeviceAction{Protocol: d.login.Protocol, Action: q.call.Name, Kind: q.call.Kind, UserHint: q.hint, Result: a.action})
	if info := q.call.Device(a.device); info != nil {
		info.Protocol = d.login.Protocol
		sink(info)
	}
}

func (d *dialogue) reportLogin(q request, a answer, sink dissect.Sink) {
	result := a.plain
	if q.proof {
		result = a.proof
	}
	if result == dissect.OutcomeUnknown && !q.proof {
		return // a request for the challenge
	}
	d.login.Prove(q.check)
	d.login.Hint = q.hint
	d.login.Result(result, sink)
}

// end reports the requests that were not answered.
func (d *dialogue) end(sink dissect.Sink) {
	for _, q := range d.waiting {
		d.report(q, answer{}, sink)
	}
	d.waiting, d.ended = nil, true
}
