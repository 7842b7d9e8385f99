package standin_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAnotherPodHandlesTheEventsOfAPausedOne(t *testing.T) {
	tests := []struct {
		about, value string
		joins        bool
		said         string
	}{
		{"paused", "paused", false, "events are not consumed"},
		{"another value does not pause", "off", true, "expected paused"},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			c := newCluster(t)
			c.model("shop", read(t, shop))
			said := &lockedBuffer{}
			c.log = slog.New(slog.NewTextHandler(said, nil))
			spec := c.spec("stock-room", nil)
			spec.Name = "stock-room-canary-7d9f8b6c5d-x2v9z"
			canary := c.run(spec, c.env(map[string]string{"MESHSTORM_EVENTS": tt.value}))
			canary.send("POST", "/inventories", `{"name":"TV","stock":10}`, 201) // its outbox goes on
			c.wait("the log says it", func() error {
				if text := said.String(); !strings.Contains(text, tt.said) {
					return errors.New(text)
				}
				return nil
			})
			if tt.joins {
				c.wait("the canary is a member", func() error { return c.members(spec.Name) })
				return
			}
			stable, order := c.start("stock-room", nil), c.start("order", nil)
			order.send("POST", "/orders", `{"inventoryId":1,"qty":3}`, 201)
			stable.has("/inventories/1", `"stock":7`)
		})
	}
}

// members expects these clients, and no other, in the group of stock-room.
func (c *cluster) members(want ...string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.brokers))
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{"default.stock-room"}
	resp, err := req.RequestWith(c.t.Context(), client)
	if err != nil {
		return err
	}
	var got []string
	for _, g := range resp.Groups {
		for _, m := range g.Members {
			got = append(got, m.ClientID)
		}
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("the group's members are %q, expected %q", got, want)
	}
	return nil
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
