// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"stillwatch/sensor/internal/packet"
)

// ParseSilent reads what --silent takes: addresses, prefixes and MACs. The error joins one line for each that is none of these; each
// begins with the option.
func ParseSilent(list []string) (prefixes []netip.Prefix, macs []packet.MAC, err error) {
	var errs []error
	for _, s := range list {
		p, m, err := parseSilent(strings.TrimSpace(s))
		switch {
		case err != nil && strings.Contains(s, ","):
			errs = append(errs, fmt.Errorf("--silent %q is a list: give --silent once for each", shortened(s)))
		case err != nil:
			errs = append(errs, fmt.Errorf("--silent %w", err))
		case p.IsValid():
			prefixes = append(prefixes, p)
		default:
			macs = append(macs, m)
		}
	}
	return prefixes, macs, errors.Join(errs...)
}

// ParseInternal reads what --internal takes: addresses and prefixes. The error joins one line for each that is neither; each begins with
// the option.
func ParseInternal(list []string) (prefixes []netip.Prefix, err error) {
	var errs []error
	for _, s := range list {
		p, err := parsePrefix(strings.TrimSpace(s))
		switch {
		case err != nil && strings.Contains(s, ","):
			errs = append(errs, fmt.Errorf("--internal %q is a list: give --internal once for each", shortened(s)))
		case err != nil && !errors.Is(err, errHostBits):
			errs = append(errs, fmt.Errorf("--internal %q is no address and no prefix such as 10.20.0.0/16", shortened(s)))
		case err != nil:
			errs = append(errs, fmt.Errorf("--internal %w", err))
		default:
			prefixes = append(prefixes, p)
		}
	}
	return prefixes, errors.Join(errs...)
}

func parseSilent(s string) (netip.Prefix, packet.MAC, error) {
	if m, ok := macOf(s); ok {
		if m.IsZero() || m.IsGroup() {
			return netip.Prefix{}, m, fmt.Errorf("%q is no MAC address of a device", s)
		}
		return netip.Prefix{}, m, nil
	}
	p, err := parsePrefix(s)
	if err != nil && !errors.Is(err, errHostBits) {
		err = fmt.Errorf("%q is no address, no prefix and no MAC address", shortened(s))
	}
	return p, packet.MAC{}, err
}

// errHostBits says that a prefix has bits set beyond its length.
var errHostBits = errors.New("has bits set beyond its length")

// parsePrefix reads a prefix or a single address. Bits set beyond the length are a mistake of the operator more often than
// an abbreviation.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is no address and no prefix such as 10.20.0.0/16", s)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q %w; the network is %s", s, errHostBits, p.Masked())
	}
	return p, nil
}

// macOf reads six bytes in hex with colons, dashes or dots between them.
func macOf(s string) (m packet.MAC, ok bool) {
	var parts []string
	switch {
	case strings.Count(s, ":") == 5:
		parts = strings.Split(s, ":")
	case strings.Count(s, "-") == 5:
		parts = strings.Split(s, "-")
	case strings.Count(s, ".") == 2 && len(s) == 14:
		s = strings.ReplaceAll(s, ".", "")
		_, err := hex.Decode(m[:], []byte(s))
		return m, err == nil && len(s) == 12
	default:
		return m, false
	}
	for i, p := range parts {
		if len(p) != 2 {
			return m, false
		}
		if _, err := hex.Decode(m[i:i+1], []byte(p)); err != nil {
			return m, false
		}
	}
	return m, true
}

// plainName reports whether a name can stand in keys, alerts and topics without being quoted.
func plainName(s string) bool {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// dnsName reports whether s can be a DNS name (RFC 1123), with "*." in front allowed.
func dnsName(s string) bool {
	s = strings.TrimPrefix(s, "*.")
	if len(s) > 253 || !strings.ContainsAny(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || !plainName(label) || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}
