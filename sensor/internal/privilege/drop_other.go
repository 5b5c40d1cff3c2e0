// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package privilege

import "errors"

// Drop is only supported on Linux, as live capture is.
func Drop(Config) (Status, error) { return nil, errors.ErrUnsupported }

// Become is only supported on Linux.
func Become(string) error { return errors.ErrUnsupported }

// Missing is only supported on Linux.
func Missing(...string) []string { return nil }
