package istio

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/meshstorm/meshstorm/manifest"
)

// Cache keeps the last few meshes, by the content of their documents. The zero
// value is ready; it is safe for concurrent use.
type Cache struct {
	mu   sync.Mutex
	kept []*kept // the last used last
}

// kept is one mesh, or the wait for it.
type kept struct {
	key  [sha256.Size]byte
	made chan struct{} // closed when mesh and err are there
	mesh *Mesh
	err  error
}

// cacheSize is enough for both sides of a comparison while one is edited.
const cacheSize = 4

// Get gives the mesh of documents with this content at these places, made by
// New where it is not kept. A mesh belongs to the cache: do not close it.
// Errors are not kept.
func (c *Cache) Get(ctx context.Context, docs []*manifest.Document, o Options) (*Mesh, error) {
	key, err := contentKey(docs, o.complete())
	if err != nil {
		return nil, err
	}
	for {
		k, first := c.take(key)
		if first {
			k.mesh, k.err = New(ctx, docs, o)
			if k.err != nil {
				c.drop(k)
			}
			close(k.made)
			return k.mesh, k.err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for a mesh: %w", context.Cause(ctx))
		case <-k.made:
		}
		// What another caller gave up on has to be tried again.
		if k.err == nil || ctx.Err() != nil {
			return k.mesh, k.err
		}
	}
}

func (c *Cache) take(key [sha256.Size]byte) (k *kept, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, k := range c.kept {
		if k.key == key {
			c.kept = append(append(c.kept[:i:i], c.kept[i+1:]...), k)
			return k, false
		}
	}
	k = &kept{key: key, made: make(chan struct{})}
	c.kept = append(c.kept, k)
	if len(c.kept) > cacheSize {
		c.kept = append([]*kept(nil), c.kept[1:]...)
	}
	return k, true
}

func (c *Cache) drop(k *kept) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range c.kept {
		if other == k {
			c.kept = append(c.kept[:i:i], c.kept[i+1:]...)
			return
		}
	}
}

// contentKey tells documents apart by everything that answers depend on, the
// places that they name among it.
func contentKey(docs []*manifest.Document, o Options) (key [sha256.Size]byte, err error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q", o)
	for _, d := range docs {
		if d == nil {
			continue
		}
		text := d.Text
		if len(text) == 0 {
			if text, err = d.JSON(); err != nil {
				return key, fmt.Errorf("%s:%d: %w", d.Path, d.Line, err)
			}
		}
		fmt.Fprintf(h, "%q %d %q %d\n", d.Path, d.Line, d.ID, len(text))
		h.Write(text)
	}
	h.Sum(key[:0])
	return key, nil
}
