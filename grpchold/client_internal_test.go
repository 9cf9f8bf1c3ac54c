package grpchold

import "testing"

// Of a target there is what it names, and nothing that may be a password.
func TestEndpoint(t *testing.T) {
	for target, want := range map[string]string{
		"pay.example.com:443":                          "pay.example.com:443",
		"dns:pay.example.com:443":                      "dns:pay.example.com:443",
		"dns:///pay.example.com:443":                   "pay.example.com:443",
		"dns://8.8.8.8/pay.example.com:443":            "pay.example.com:443",
		"passthrough:///127.0.0.1:50051":               "127.0.0.1:50051",
		"unix:///run/pay.sock":                         "run/pay.sock",
		"consul://user:secret@consul/pay?token=secret": "pay",
		"consul://user:secret@consul":                  "",
		"pay?token=secret":                             "pay",
		"":                                             "",
	} {
		if got := endpoint(target); got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
}
