// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package doctor

import "errors"

// LookAtPort is for Linux alone.
func LookAtPort(string) (*Port, error) { return nil, errors.ErrUnsupported }

// TryModes is for Linux alone.
func (*Port) TryModes() {}
