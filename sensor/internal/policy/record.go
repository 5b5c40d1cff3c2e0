// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// MaxRecord is the size of a signed policy, in bytes.
const MaxRecord = 64 << 10

// Policy is a policy whose record is valid.
type Policy struct {
	schemas.Policy
	device contract.Selector
	match  contract.PolicyMatch
}

// Parse reads a record and checks it.
func Parse(record []byte) (*Policy, error) {
	if len(record) > MaxRecord {
		return nil, fmt.Errorf("it has more than %d bytes", MaxRecord)
	}
	if err := schemas.Validate(schemas.KindPolicy, record); err != nil {
		return nil, errors.New(detect.Clean(strings.Join(strings.Fields(err.Error()), " "), 300))
	}
	p := &Policy{}
	if err := json.Unmarshal(record, &p.Policy); err != nil {
		return nil, errors.New(detect.Clean(err.Error(), 300))
	}
	return p, p.check()
}

// check checks what the schema does not: which fields belong together, and the values in texts.
func (p *Policy) check() error {
	has := func(list ...string) bool { return slices.Contains(list, p.Kind) }
	switch {
	case p.Device == nil && !has(schemas.PolicySuppress, schemas.PolicyRetire):
		return fmt.Errorf("a policy of the kind %s needs a device", p.Kind)
	case p.Device != nil && has(schemas.PolicyRetire), p.Rules != nil && !has(schemas.PolicyAllow, schemas.PolicySuppress):
		return fmt.Errorf("a policy of the kind %s has neither device nor rules of this kind", p.Kind)
	case p.Match != nil && !has(schemas.PolicyAllow, schemas.PolicySuppress, schemas.PolicyForget), p.Hours != "" && !has(schemas.PolicyAllow, schemas.PolicySuppress):
		return fmt.Errorf("a policy of the kind %s has no match or hours of this kind", p.Kind)
	case (p.Expect != "") != has(schemas.PolicyExpect):
		return errors.New("the kind expect, and no other, needs the field expect")
	case has(schemas.PolicyAllow) && (p.Match == nil || *p.Match == schemas.PolicyMatch{}):
		return errors.New("a policy of the kind allow needs a match; to allow everything, use the kind expect with normal")
	case has(schemas.PolicySuppress) && p.Device == nil && p.Rules == nil:
		return errors.New("a policy of the kind suppress needs a device or rules")
	case p.Expires != nil && *p.Expires <= p.Created:
		return errors.New("it expires before it was created")
	}
	for _, r := range p.Rules {
		if !detect.IsCustom(r) && !slices.ContainsFunc(detect.Rules(), func(x detect.Rule) bool { return x.ID == r }) {
			return fmt.Errorf("there is no rule %s", r)
		}
	}
	if p.Device != nil {
		if err := p.readDevice(p.Device); err != nil {
			return fmt.Errorf("device: %w", err)
		}
	}
	return p.readMatch(p.Match)
}

func (p *Policy) readDevice(d *schemas.PolicyDevice) (err error) {
	n := 0
	for _, s := range []string{d.Key, d.MAC, d.IP, d.Prefix, d.Role, d.Vendor} {
		if s != "" {
			n++
		}
	}
	s := &p.device
	switch {
	case n != 1:
		return errors.New("give one of key, mac, ip, prefix, role and vendor")
	case d.MAC != "":
		var m schemas.MAC
		if err = m.UnmarshalText([]byte(d.MAC)); err == nil && m == (schemas.MAC{}) {
			err = errors.New("the MAC address is zero")
		}
		s.MAC = packet.MAC(m)
	case d.IP != "":
		var a netip.Addr
		a, err = netip.ParseAddr(d.IP)
		s.IP = a.Unmap().WithZone("")
	case d.Prefix != "":
		s.Prefix, err = netip.ParsePrefix(d.Prefix)
		if err == nil && s.Prefix.Masked() != s.Prefix {
			err = fmt.Errorf("%s has bits behind the prefix", d.Prefix)
		}
	case d.Role != "":
		var ok bool
		if s.Role, ok = device.ParseRole(d.Role); !ok || s.Role == device.Unknown {
			err = fmt.Errorf("%.40q is not a role; the roles are %s", d.Role, strings.Join(device.RoleNames(), ", "))
		}
	}
	s.Key, s.Vendor = d.Key, d.Vendor
	return err
}

func (p *Policy) readMatch(m *schemas.PolicyMatch) (err error) {
	out := &p.match
	*out = contract.PolicyMatch{Proto: "any", AnyPeer: true, Either: p.Kind != schemas.PolicyAllow}
	if p.Hours != "" {
		if out.Hours, err = contract.ParseHours(p.Hours); err != nil {
			return err
		}
	}
	if m == nil {
		return nil
	}
	out.Port, out.App = m.Port, m.App
	if m.Proto != "" {
		out.Proto = m.Proto
	}
	if m.Port != 0 && m.Proto == "icmp" {
		return errors.New("match: icmp has no ports")
	}
	if m.Direction != "" {
		out.Either = false
	}
	if m.Direction == "in" {
		out.Direction = session.In
	}
	if m.Peer != "" {
		out.AnyPeer = false
		if out.Peer, err = contract.ParsePeer(m.Peer); err != nil {
			return fmt.Errorf("match: %w", err)
		}
	}
	return nil
}

// expired reports whether the policy is over. A policy without an end never is.
func (p *Policy) expired(now int64) bool { return p.Expires != nil && now >= int64(*p.Expires) }

// inScope reports whether the policy is for a sensor.
func (p *Policy) inScope(sensor, site string) bool {
	s := p.Scope
	return s == nil || (s.Site == "" || s.Site == site) && (len(s.Sensors) == 0 || slices.Contains(s.Sensors, sensor))
}

func (p *Policy) site() string {
	if p.Scope == nil {
		return ""
	}
	return p.Scope.Site
}
