// SPDX-License-Identifier: Apache-2.0

// Package enrich adds what is known about an address from outside the capture or from earlier in it: the maker behind a
// MAC, and the names under which addresses were looked up.
package enrich

// VendorKind tells how much the maker behind a MAC prefix says about the device that carries it.
type VendorKind uint8

// A brand sells devices under its own name, an odm builds devices that others sell, a chip maker's prefix stands in
// devices of any kind and says nothing about them.
const (
	VendorUnknown VendorKind = iota
	VendorBrand
	VendorODM
	VendorChip
)

func (k VendorKind) String() string { return [...]string{"unknown", "brand", "odm", "chip"}[k] }
