// SPDX-License-Identifier: Apache-2.0

// Package recognize recognizes protocols that have no family. Most of their sessions are named and not read.
package recognize

import "stillwatch/sensor/internal/dissect/protocol"

// Protocols has the protocols of this package.
var Protocols protocol.List
