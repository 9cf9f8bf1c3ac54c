// Package api answers requests.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"auth/hooks"
	"auth/mailer"
	"auth/sms"
	"auth/storage"
)

type API struct {
	store  storage.Store
	mailer mailer.Mailer
	sms    sms.Provider
	hooks  *hooks.Manager
}

func New(s storage.Store, m mailer.Mailer, p sms.Provider, h *hooks.Manager) *API {
	return &API{store: s, mailer: m, sms: p, hooks: h}
}

type handler func(w http.ResponseWriter, r *http.Request) error

func (a *API) Routes() http.Handler {
	mux := http.NewServeMux()
	for path, h := range map[string]handler{
		"/signup":  a.Signup,
		"/phone":   a.Phone,
		"/resend":  a.Resend,
		"/address": a.ChangeAddress,
		"/login":   a.Login,
		"/verify":  a.Verify,
		"/invite":  a.okInvite,
		"/code":    a.okCode,
		"/attempt": a.okAttempt,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	return mux
}

// Signup sends the mail before the account is committed.
func (a *API) Signup(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	account := &storage.Account{Mail: r.FormValue("mail")}
	if err := a.store.RunInTx(ctx, func(s storage.Store) error {
		if err := s.Save(ctx, account); err != nil {
			return err
		}
		if err := a.sendConfirmation(ctx, s, account); err != nil { // wantcheck "high mail .*SendMail"
			return err
		}
		return nil
	}); err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(account)
}

func (a *API) sendConfirmation(ctx context.Context, s storage.Store, account *storage.Account) error {
	if account.Confirmed {
		return nil
	}
	if err := a.mailer.Valid(account.Mail); err != nil {
		return err
	}
	if err := a.mailer.Confirm(ctx, account.Mail); err != nil {
		return err
	}
	return s.Save(ctx, account)
}

func (a *API) Phone(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	return a.store.RunInTx(ctx, func(s storage.Store) error { // hold
		account, err := s.Find(ctx, r.FormValue("mail"))
		if err != nil {
			return err
		}
		if _, err := a.sms.Send(ctx, account.Phone, "1234"); err != nil { // wantcheck "high http .*Do"
			return err
		}
		return s.Save(ctx, account)
	})
}

func (a *API) Resend(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	return a.store.RunInTx(ctx, func(s storage.Store) error {
		account, err := s.Find(ctx, r.FormValue("mail"))
		if err != nil {
			return err
		}
		switch r.FormValue("type") {
		case "mail":
			return a.sendConfirmation(ctx, s, account) // wantcheck "high mail"
		case "sms":
			_, err := a.sms.Send(ctx, account.Phone, "1234") // wantcheck "high http"
			return err
		}
		return errors.New("api: unknown type")
	})
}

func (a *API) ChangeAddress(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	return a.store.RunInTx(ctx, func(s storage.Store) error {
		account, err := s.Find(ctx, r.FormValue("mail"))
		if err != nil {
			return err
		}
		return a.mailer.ChangeAddress(ctx, account.Mail, r.FormValue("new")) // wantcheck "(high mail|medium blocked)"
	})
}

func (a *API) Login(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := a.hooks.Invoke(ctx, hooks.BeforeLogin, nil, nil); err != nil {
		return err
	}
	return a.store.RunInTx(ctx, func(s storage.Store) error {
		account, err := s.Find(ctx, r.FormValue("mail"))
		if err != nil {
			return err
		}
		_, err = a.issue(ctx, s, account) // wantcheck "high http .*Do"
		return err
	})
}

func (a *API) issue(ctx context.Context, s storage.Store, account *storage.Account) (string, error) {
	var claims struct{ Token string }
	if a.hooks.Enabled(hooks.Token) {
		if err := a.hooks.Invoke(ctx, hooks.Token, account, &claims); err != nil {
			return "", err
		}
	}
	return claims.Token, s.Save(ctx, account)
}

// Verify has a transaction inside its transaction: the outer one stays open.
func (a *API) Verify(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	return a.store.RunInTx(ctx, func(s storage.Store) error {
		account, err := s.Find(ctx, r.FormValue("mail"))
		if err != nil {
			return err
		}
		if err := s.RunInTx(ctx, func(inner storage.Store) error {
			account.Confirmed = true
			return inner.Save(ctx, account)
		}); err != nil {
			return err
		}
		return a.mailer.Confirm(ctx, account.Mail) // wantcheck "high mail"
	})
}

// okInvite sends the mail when the account is committed.
func (a *API) okInvite(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	account := &storage.Account{Mail: r.FormValue("mail")}
	if err := a.store.RunInTx(ctx, func(s storage.Store) error {
		if err := a.mailer.Valid(account.Mail); err != nil {
			return err
		}
		return s.Save(ctx, account)
	}); err != nil {
		return err
	}
	if err := a.hooks.Invoke(ctx, hooks.BeforeLogin, nil, nil); err != nil {
		return err
	}
	return a.mailer.Confirm(ctx, account.Mail)
}

// okCode sends the message before it begins.
func (a *API) okCode(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	status, err := a.sms.Send(ctx, r.FormValue("phone"), "1234")
	if err != nil {
		return err
	}
	return a.store.RunInTx(ctx, func(s storage.Store) error {
		return s.Save(ctx, &storage.Account{Phone: status})
	})
}

// okAttempt asks whether there is a hook inside the transaction, and the hook after.
func (a *API) okAttempt(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	ask := false
	if err := a.store.RunInTx(ctx, func(s storage.Store) error {
		ask = a.hooks.Enabled(hooks.Token)
		_, err := s.Find(ctx, r.FormValue("mail"))
		return err
	}); err != nil {
		return err
	}
	if ask {
		return a.hooks.Invoke(ctx, hooks.Token, nil, nil)
	}
	return nil
}

// okFind has no transaction.
func (a *API) okFind(ctx context.Context, mail string) error {
	account, err := a.store.Find(ctx, mail)
	if err != nil {
		return err
	}
	return a.sendConfirmation(ctx, a.store, account)
}
