// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package doctor

import "errors"

// LookAtPort is supported on Linux only.
func LookAtPort(string) (*Port, error) { return nil, errors.ErrUnsupported }

// TryModes is supported on Linux only.
func (*Port) TryModes() {}
