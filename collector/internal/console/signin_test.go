// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestDisconnectDuringSignInIsNotLogged checks that a client that disconnects during the sign-in causes no log line.
func TestDisconnectDuringSignInIsNotLogged(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	k := &Console{log: zap.New(core)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/signin", nil)
	k.signInFailed(httptest.NewRecorder(), r, context.Canceled, signInBody{})
	if logs.Len() != 0 {
		t.Errorf("logged: %+v", logs.All())
	}
}
