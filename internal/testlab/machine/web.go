// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// web serves a page that requires a password: digest for cameras, Basic for others; none if realm is "".
func (m *machine) web(server, realm string, byDigest bool) error {
	d := newDigest(realm)
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", server)
		user, password, _ := r.BasicAuth()
		switch {
		case realm == "":
		case byDigest && r.Header.Get("Authorization") != d.credentials(r.Method, r.RequestURI):
			w.Header().Set("WWW-Authenticate", d.challenge())
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		case !byDigest && (user != cameraUser || password != cameraPassword):
			w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q", realm))
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<html><head><title>%s</title></head><body>%s</body></html>\n", m.name, m.name) // the client may have gone
	}
	l, err := net.Listen("tcp4", ":80")
	if err != nil {
		return err
	}
	s := &http.Server{Handler: http.HandlerFunc(handler), ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(m.ctx, func() { _ = s.Close() })
	m.group.Go(func() error {
		if err := s.Serve(l); m.ctx.Err() == nil {
			return err
		}
		return nil
	})
	return nil
}

// fetch requests a page over one connection and answers a challenge like a browser.
func fetch(ctx context.Context, url, agent string) error {
	t := &http.Transport{}
	defer t.CloseIdleConnections()
	ask := func(authorize func(*http.Request)) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("User-Agent", agent)
		authorize(r)
		res, err := t.RoundTrip(r)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close() // it was read to its end
		}
		return res, err
	}
	res, err := ask(func(*http.Request) {})
	if err != nil {
		return err
	}
	if challenge := res.Header.Get("WWW-Authenticate"); res.StatusCode == http.StatusUnauthorized {
		if res, err = ask(func(r *http.Request) { authorize(r, challenge) }); err != nil {
			return err
		}
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	return nil
}

func authorize(r *http.Request, challenge string) {
	if len(challenge) > 6 && challenge[:6] == "Digest" {
		r.Header.Set("Authorization", digestOf(challenge).credentials(r.Method, r.URL.RequestURI()))
		return
	}
	r.SetBasicAuth(cameraUser, cameraPassword)
}
