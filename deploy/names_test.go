package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/text/unicode/norm"
)

func TestDNSName(t *testing.T) {
	tests := []struct{ about, in, want string }{
		{"a plain name stays", "order", "order"},
		{"words split at case changes", "BookManagement", "book-management"},
		{"an acronym is one word", "HTTPServer", "http-server"},
		{"capitals alone are one word", "ORDER", "order"},
		{"digits stay with their word", "order2", "order2"},
		{"a capital after a digit starts a word", "OAuth2Login", "o-auth2-login"},
		{"spaces, dots, slashes and underscores separate", "a b.c/d_e", "a-b-c-d-e"},
		{"separators at the ends vanish", "--order..", "order"},
		{"control characters separate", "a\x00b\nc", "a-b-c"},
		{"Hangul is romanised", "주문", "jumun"},
		{"Hangul words keep their spaces", "주문 관리", "jumun-gwanri"},
		{"decomposed Hangul is the same name", norm.NFD.String("주문"), "jumun"},
		{"scripts separate", "주문Order", "jumun-order"},
		{"mixed with a separator", "결제-payment", "gyeolje-payment"},
		{"accents are dropped", "Café", "cafe"},
		{"Han characters are words", "日本", "ri-ben"},
		{"a leading digit gets a prefix", "12st Mall", "svc-12st-mall"},
		{"only emoji leave nothing", "🚀🚀", ""},
		{"emoji separate", "order🚀fast", "order-fast"},
		{"dots alone leave nothing", "..", ""},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			if got := DNSName(tt.in); got != tt.want {
				t.Errorf("DNSName(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestCollectionPathsFollowTheOriginal(t *testing.T) {
	p := newPlurals()
	own := []struct{ name, camel, plural string }{
		{"Order", "order", "orders"}, {"taxi-booking", "taxiBooking", "taxiBookings"},
		{"주문Order", "주문order", "주문orders"}, {"주문 관리", "주문관리", "주문관리"},
		{"a.b.c", "aBC", "aBCS"}, {"IOTDevice", "iotDevice", "iotDevices"},
		{"2ndOrder", "2ndOrder", "2ndOrders"}, {"Category", "category", "categories"},
	}
	for _, v := range own {
		if c := camelCase(v.name); c != v.camel {
			t.Errorf("camelCase(%q) = %q, want %q", v.name, c, v.camel)
		}
		if c := p.path(v.name); c != v.plural {
			t.Errorf("path(%q) = %q, want %q", v.name, c, v.plural)
		}
	}
	data, err := os.ReadFile(filepath.Join("..", "..", "shared", "naming-vectors.json"))
	if err != nil {
		t.Log("the recorded name vectors are not on this machine; the vectors above cover each rule once")
		return
	}
	var vectors []struct{ Name, NameCamelCase, NamePlural string }
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		if c := camelCase(v.Name); c != v.NameCamelCase {
			t.Errorf("camelCase(%q) = %q, the original says %q", v.Name, c, v.NameCamelCase)
		}
		if c := p.path(v.Name); c != v.NamePlural {
			t.Errorf("path(%q) = %q, the original says %q", v.Name, c, v.NamePlural)
		}
	}
}
