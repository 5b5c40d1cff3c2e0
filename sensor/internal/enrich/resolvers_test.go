// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"testing"

	"stillwatch/internal/testlab/mutate"
)

func TestResolvers(t *testing.T) {
	r := PublicResolvers.Get()
	if r.Rows() < 50 || r.Head.Date == "" {
		t.Errorf("%d rows, %+v", r.Rows(), r.Head)
	}
	for name, want := range map[string]string{
		"dns.google": "Google", "DNS.Google.": "Google", "mozilla.cloudflare-dns.com": "Cloudflare", "a.b.dns.nextdns.io": "NextDNS", "cloudflare-dns.com": "Cloudflare",
		"www.google.com": "", "xdns.google": "", "google": "", "": "", "...": "", "nextdns.io": "", "dns.google.evil.example": "",
	} {
		if got := r.Operator(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	const head = "# Date: 2027-01-02\n# License: ours\n"
	for _, text := range []string{"a.b\tX", head + "a.b", head + "a.b\t", head + "A.b\tX", head + "ab\tX", head + "*.*.a\tX", head + ".a.b\tX", head + "a.b\tX\na.b\tY"} {
		if _, err := ParseResolvers([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func FuzzParseResolvers(f *testing.F) {
	f.Add(resolversText)
	f.Add([]byte("# Date: 2027-01-02\n# License: ours\n*.a.b\tX\n"))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		if r, err := ParseResolvers(b); err == nil {
			r.Operator("x." + string(b))
		}
	})
}
