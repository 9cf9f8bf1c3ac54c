// Package stripe is a stub: signatures only.
package stripe

import "net/http"

type Subscription struct{ ID string }

type SubscriptionCancelParams struct{ InvoiceNow *bool }

type Backend interface {
	Call(method, path string, params, v any) error
}

type httpBackend struct{ client *http.Client }

func (b *httpBackend) Call(method, path string, params, v any) error {
	req, err := http.NewRequest(method, path, nil)
	if err != nil {
		return err
	}
	_, err = b.client.Do(req)
	return err
}

func GetBackend() Backend { return &httpBackend{http.DefaultClient} }

func String(s string) *string { return &s }
