// SPDX-License-Identifier: Apache-2.0

package dissect

// Direction of a stream within a session.
const (
	FromClient = 0
	FromServer = 1
)

// Ports are the ports of a session, as a hint only: protocols are told by their bytes.
type Ports struct{ Client, Server uint16 }

// Sink takes the facts of one session, in the order in which they were read.
type Sink func(Fact)
