// SPDX-License-Identifier: Apache-2.0

package dns_test

import (
	"testing"

	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/dns"
)

func FuzzDNSStream(f *testing.F) {
	dissecttest.FuzzStream(f, dns.NewStream, []turn{server("\x00\xff" + string(dissecttest.DNSResponse(f)))})
}
