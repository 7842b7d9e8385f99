package studio

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// CodeLife is how long a one-time code is valid.
const CodeLife = time.Minute

// sessionLife is how long a cookie is valid; sessions end with the studio anyway.
const sessionLife = 30 * 24 * time.Hour

// After tries wrong passwords in a row the next must wait for pause.
const (
	tries = 5
	pause = 30 * time.Second
)

// sessions knows secrets by their hashes only, so that comparing them tells
// nothing by its time.
type sessions struct {
	now func() time.Time

	mu     sync.Mutex
	codes  map[[32]byte]time.Time // until when
	open   map[[32]byte]time.Time
	wrong  int
	closed time.Time // until when no password is looked at
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, codes: map[[32]byte]time.Time{}, open: map[[32]byte]time.Time{}}
}

// secret is 32 random bytes as they stand in cookies and URLs.
func secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func keep(into map[[32]byte]time.Time, now, until time.Time) string {
	for k, t := range into {
		if !now.Before(t) {
			delete(into, k)
		}
	}
	s := secret()
	into[sha256.Sum256([]byte(s))] = until
	return s
}

func (s *sessions) newCode() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return keep(s.codes, s.now(), s.now().Add(CodeLife))
}

// exchange gives a session for a code; each code works once.
func (s *sessions) exchange(code string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(code))
	until, ok := s.codes[key]
	delete(s.codes, key)
	if !ok || !s.now().Before(until) {
		return "", false
	}
	return keep(s.open, s.now(), s.now().Add(sessionLife)), true
}

// password gives a session for the password. wait is how long to wait before
// the next try where there were too many.
func (s *sessions) password(given, wanted string) (session string, wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if now.Before(s.closed) {
		return "", s.closed.Sub(now), false
	}
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(wanted))
	if wanted == "" || subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		if s.wrong++; s.wrong >= tries {
			s.wrong, s.closed = 0, now.Add(pause)
		}
		return "", 0, false
	}
	s.wrong = 0
	return keep(s.open, now, now.Add(sessionLife)), 0, true
}

func (s *sessions) valid(session string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.open[sha256.Sum256([]byte(session))]
	return ok && s.now().Before(until)
}

// cookieName tells studios on different ports apart: cookies know no ports.
func (s *Server) cookieName(r *http.Request) string {
	if port := portOf(r.Host); port != "" {
		return "meshstorm-" + port
	}
	return "meshstorm"
}

// signedIn tells whether a request carries a session.
func (s *Server) signedIn(r *http.Request) bool {
	cookie, err := r.Cookie(s.cookieName(r))
	return err == nil && s.sessions.valid(cookie.Value)
}

type requestKey struct{}

func (s *Server) registerSession(api huma.API) {
	state := operation("get-session", http.MethodGet, "/session", "session", "Tell whether this browser is signed in")
	state.Security = nil
	huma.Register(api, state, func(ctx context.Context, _ *struct{}) (*plain[SessionState], error) {
		r, _ := ctx.Value(requestKey{}).(*http.Request)
		out := SessionState{SignedIn: s.signedIn(r), Login: "code"}
		if s.Password != "" {
			out.Login = "password"
		}
		return &plain[SessionState]{out}, nil
	})
	open := operation("open-session", http.MethodPost, "/session", "session", "Sign in with a one-time code")
	open.Security, open.DefaultStatus = nil, http.StatusNoContent
	type opened struct {
		SetCookie http.Cookie `header:"Set-Cookie"`
	}
	huma.Register(api, open, func(ctx context.Context, in *struct{ Body Credentials }) (*opened, error) {
		r, _ := ctx.Value(requestKey{}).(*http.Request)
		session, err := s.signIn(in.Body)
		if err != nil {
			return nil, err
		}
		return &opened{http.Cookie{
			Name: s.cookieName(r), Value: session, Path: "/", HttpOnly: true, Secure: s.TLS, SameSite: http.SameSiteStrictMode,
		}}, nil
	})
	about := operation("about", http.MethodGet, "/about", "session", "Describe the program")
	huma.Register(api, about, func(context.Context, *struct{}) (*plain[About], error) {
		return &plain[About]{About{Version: s.Version, Language: s.Language}}, nil
	})
}

func (s *Server) signIn(c Credentials) (string, error) {
	if c.Code != "" {
		if session, ok := s.sessions.exchange(c.Code); ok {
			return session, nil
		}
		return "", problem(http.StatusUnauthorized, "the code in this URL was used already, or is older than 60 s; `meshstorm studio --print-url` prints a fresh one")
	}
	session, wait, ok := s.sessions.password(c.Password, s.Password)
	switch {
	case ok:
		return session, nil
	case wait > 0:
		return "", problem(http.StatusTooManyRequests, "too many wrong passwords; wait "+wait.Round(time.Second).String())
	case s.Password == "":
		return "", problem(http.StatusUnauthorized, "this studio has no password; open the URL that `meshstorm studio --print-url` prints")
	}
	return "", problem(http.StatusUnauthorized, "wrong password")
}
