// Package redfish talks to management boards by HTTP.
package redfish

import (
	"context"
	"net/http"
	"strings"
)

type Client struct{ HTTP *http.Client }

func (c *Client) Supported(address string) bool { return strings.HasPrefix(address, "https:") }

func (c *Client) GetData(ctx context.Context, address string) (string, error) {
	s, err := c.connect(ctx, address)
	if err != nil {
		return "", err
	}
	return s.id, nil
}

type session struct{ id string }

func (c *Client) connect(ctx context.Context, address string) (*session, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return &session{resp.Header.Get("Location")}, nil
}
