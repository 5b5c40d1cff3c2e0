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

// ParseSilent parses the values of --silent: addresses, prefixes and MAC addresses. The error has one line for each invalid value; each line
// begins with the option.
func ParseSilent(list []string) (prefixes []netip.Prefix, macs []packet.MAC, err error) {
	var errs []error
	for _, s := range list {
		p, m, err := parseSilent(strings.TrimSpace(s))
		switch {
		case err != nil && strings.Contains(s, ","):
			errs = append(errs, fmt.Errorf("--silent %q is a list: repeat --silent for each value", shortened(s)))
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

// ParseInternal parses the values of --internal: addresses and prefixes. The error has one line for each invalid value; each line begins with
// the option.
func ParseInternal(list []string) (prefixes []netip.Prefix, err error) {
	var errs []error
	for _, s := range list {
		p, err := parsePrefix(strings.TrimSpace(s))
		switch {
		case err != nil && strings.Contains(s, ","):
			errs = append(errs, fmt.Errorf("--internal %q is a list: repeat --internal for each value", shortened(s)))
		case err != nil && !errors.Is(err, errHostBits):
			errs = append(errs, fmt.Errorf("--internal %q is not an address or a prefix such as 10.20.0.0/16", shortened(s)))
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
			return netip.Prefix{}, m, fmt.Errorf("%q is not the MAC address of a device", s)
		}
		return netip.Prefix{}, m, nil
	}
	p, err := parsePrefix(s)
	if err != nil && !errors.Is(err, errHostBits) {
		err = fmt.Errorf("%q is not an address, a prefix or a MAC address", shortened(s))
	}
	return p, packet.MAC{}, err
}

// errHostBits means that a prefix has bits set beyond its length.
var errHostBits = errors.New("has bits set beyond its length")

// parsePrefix parses a prefix or a single address. Bits set beyond the length are an error, because they are more often a mistake than an
// abbreviation.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is not an address or a prefix such as 10.20.0.0/16", s)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q %w; the network is %s", s, errHostBits, p.Masked())
	}
	return p, nil
}

// macOf parses six bytes in hex separated by colons, dashes or dots.
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

// PlainName reports whether a name can be used in keys, alerts and topics without quoting.
func PlainName(s string) bool {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// DNSName reports whether s can be a DNS name (RFC 1123), with "*." in front allowed.
func DNSName(s string) bool {
	s = strings.TrimPrefix(s, "*.")
	if len(s) > 253 || !strings.ContainsAny(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || !PlainName(label) || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}
