package standin

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

func TestNamesFromTheSettingsAreTakenOver(t *testing.T) {
	dir := t.TempDir()
	model, err := os.ReadFile(filepath.Join("..", "..", "examples", "12st-mall", "storm.json"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("mall.json", string(model))
	m := &models{dir: dir, app: "purchase", log: slog.New(slog.DiscardHandler)}
	if _, err := m.load(); err == nil {
		t.Fatal("a context is called purchase without settings")
	}
	write("mall.yaml", "names: {order: purchase}\n")
	if _, err := m.load(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.load(); !errors.Is(err, errUnchanged) {
		t.Errorf("got %v, want unchanged", err)
	}
	write("mall.yaml", "names: {order: purchase}\nservices: {purchase: {replicas: 2}}\n")
	if _, err := m.load(); err != nil {
		t.Errorf("changed settings: %v", err)
	}
}
