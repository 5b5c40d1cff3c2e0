// SPDX-License-Identifier: Apache-2.0

package dissect

// sshAuth infers whether a login succeeded from the sizes of the server's encrypted segments; the method is that of Zeek's SSH
// analyser. The first answer is SSH_MSG_SERVICE_ACCEPT, whose size A is known but for cipher and MAC. With every cipher
// SSH_MSG_USERAUTH_SUCCESS is 16 bytes shorter. SSH_MSG_USERAUTH_FAILURE lists the methods that may be tried and so has one size F within a
// connection; the first one answers the request "none" with which clients ask for that list and is no failed login.
//
// It is silent (the result stays unknown) where the client was not heard, with compression from the start, after a gap and for
// SSH 1, and it knows nothing of a login that comes after the end of the head that is kept.
type sshAuth struct {
	accept, failure int // sizes A and F, 0 until known
	failures        int
	heard           bool // the client has sent encrypted data
	skippedBanner   bool // SSH_MSG_USERAUTH_BANNER may come once
	over            bool
}

const (
	sshSuccessShorter = 16  // A less the size of success
	sshBannerLonger   = 256 // a segment that exceeds A by more is a banner
)

// client takes note of encrypted data of the client. Until then the server sends nothing that answers a login.
func (a *sshAuth) client() { a.heard = true }

// stop ends the inference; what was said stands.
func (a *sshAuth) stop() { a.over = true }

// negotiated ends the inference if the server's data is compressed from the start. zlib@openssh.com begins after the login and
// does no harm.
func (a *sshAuth) negotiated(client, server *SSHKexInit) {
	if client != nil && server != nil && sshChosen(client.CompressionS2C, server.CompressionS2C) == "zlib" {
		a.over = true
	}
}

// server takes the size of one encrypted segment of the server.
func (a *sshAuth) server(size int, sink Sink) {
	if a.over || !a.heard {
		return
	}
	switch {
	case a.accept == 0:
		a.accept = size
	case size == a.failure:
		a.failures++
		sink(&SSHAuth{Result: OutcomeFailure, Failures: a.failures})
	case size == a.accept-sshSuccessShorter:
		a.over = true
		sink(&SSHAuth{Result: OutcomeSuccess, Failures: a.failures})
	case a.failure != 0:
		// Neither: a banner or a question to the user between two attempts.
	case !a.skippedBanner && size > a.accept+sshBannerLonger:
		a.skippedBanner = true
	default:
		a.failure = size
	}
}
