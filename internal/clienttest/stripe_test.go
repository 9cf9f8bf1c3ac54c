package clienttest

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/paymentintent"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/httphold"
)

func TestStripe(t *testing.T) {
	url, host := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"id": "pi_1"}`) })
	const key = "sk_test_1"
	// recipe: stripe
	backends := stripe.NewBackends(&http.Client{
		Transport: httphold.Transport(nil, "/v1/payment_intents/{id}/capture"),
		Timeout:   80 * time.Second, // as stripe-go's own client has it
	})
	client := stripe.NewClient(key, stripe.WithBackends(backends))
	// end
	api := backends.API.(*stripe.BackendImplementation)
	if own := stripe.GetBackend(stripe.APIBackend).(*stripe.BackendImplementation).HTTPClient.Timeout; api.HTTPClient.Timeout != own {
		t.Errorf("the client's time-out is %v, stripe-go's own %v", api.HTTPClient.Timeout, own)
	}
	api.URL = url
	shop := &stripeShop{client, paymentintent.Client{B: api, Key: key}}

	r := pghold.NewRecorder(pghold.Config{})
	testSlowCalls(t, r, "pay", shop.pay, "POST "+host+"/v1/payment_intents in (*stripeShop).pay")
	testSlowCalls(t, r, "capture", shop.capture, "POST "+host+"/v1/payment_intents/{id}/capture in (*stripeShop).capture")
	testSlowCalls(t, r, "before", shop.payAsBefore, "POST "+host+"/v1/payment_intents in (*stripeShop).payAsBefore")
}

type stripeShop struct {
	client *stripe.Client
	before paymentintent.Client
}

func (s *stripeShop) pay(ctx context.Context) error {
	_, err := s.client.V1PaymentIntents.Create(ctx, &stripe.PaymentIntentCreateParams{Amount: stripe.Int64(100), Currency: stripe.String("eur")})
	return err
}

func (s *stripeShop) capture(ctx context.Context) error {
	_, err := s.client.V1PaymentIntents.Capture(ctx, "pi_1", nil)
	return err
}

// payAsBefore uses the functions of a resource's package, which take the context in
// params.
func (s *stripeShop) payAsBefore(ctx context.Context) error {
	_, err := s.before.New(&stripe.PaymentIntentParams{Params: stripe.Params{Context: ctx}, Amount: stripe.Int64(100), Currency: stripe.String("eur")})
	return err
}
