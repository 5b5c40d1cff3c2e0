// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package privilege

import "errors"

// Drop is for Linux alone, as live capture is.
func Drop(Config) (Status, error) { return nil, errors.ErrUnsupported }

// Become is for Linux alone.
func Become(string) error { return errors.ErrUnsupported }

// Missing is for Linux alone.
func Missing(...string) []string { return nil }
