package cluster

import "context"

// Inventory lists what a workspace has in a namespace. It is a ConfigMap
// "meshstorm-inventory-WORKSPACE" in that namespace.
type Inventory struct {
	Workspace string
	Namespace string
	Revision  int     // of the last apply that ended well; 0 before the first
	Entries   []Entry // sorted by ID
}

// Entry is an object of the inventory.
type Entry struct {
	ID
	// Kept says who besides the files wants this object, "canary of order": it
	// is never pruned, but delete and undo remove it. "" for objects of files.
	Kept string `json:"kept,omitempty"`
}

// ReadInventory reads it; without one it is empty.
func (c *Client) ReadInventory(ctx context.Context, namespace, workspace string) (*Inventory, error) {
	panic("not written yet")
}

// Keep puts an object into the inventory that no file holds; Release takes it
// out again. Both read, change and write under the resourceVersion, and try
// again when somebody else was faster.
func (c *Client) Keep(ctx context.Context, namespace, workspace string, id ID, why string) error {
	panic("not written yet")
}

// Release takes an object out of the inventory.
func (c *Client) Release(ctx context.Context, namespace, workspace string, id ID) error {
	panic("not written yet")
}
