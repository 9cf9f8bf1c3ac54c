// Package subscription is a stub: signatures only.
package subscription

import stripe "github.com/stripe/stripe-go/v82"

type Client struct{ B stripe.Backend }

func Cancel(id string, p *stripe.SubscriptionCancelParams) (*stripe.Subscription, error) {
	return getC().Cancel(id, p)
}

func (c Client) Cancel(id string, p *stripe.SubscriptionCancelParams) (*stripe.Subscription, error) {
	s := &stripe.Subscription{}
	err := c.B.Call("DELETE", "/v1/subscriptions/"+id, p, s)
	return s, err
}

func getC() Client { return Client{stripe.GetBackend()} }
