package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
)

func (d *database) list(kind string, q Query) (*Page, error) {
	page := &Page{Records: []Record{}}
	err := d.bolt.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(recordsBucket).Bucket([]byte(kind))
		switch {
		case bucket == nil:
			return nil
		case len(q.Sort) == 0 && len(q.Where) == 0:
			if n := tx.Bucket(countsBucket).Get([]byte(kind)); n != nil {
				page.Total = int(binary.BigEndian.Uint64(n))
			}
			walk(bucket, q, page)
			return nil
		}
		return search(bucket, q, page)
	})
	return page, err
}

// walk takes a page in the order of keys without looking into the values.
func walk(bucket *bbolt.Bucket, q Query, page *Page) {
	from, to := bounds(q, page.Total)
	cursor := bucket.Cursor()
	i := 0
	for k, v := cursor.First(); k != nil && i < to; k, v = cursor.Next() {
		if i >= from {
			page.Records = append(page.Records, *decodeRecord(decodeKey(k), v))
		}
		i++
	}
}

// bounds are the indexes of a page, cut to what is there.
func bounds(q Query, total int) (from, to int) {
	if q.Size <= 0 {
		return 0, total
	}
	pages := total/q.Size + 1
	from = min(max(q.Page, 0), pages) * q.Size // no page beyond the last can overflow
	return min(from, total), min(from+q.Size, total)
}

// search filters and sorts.
func search(bucket *bbolt.Bucket, q Query, page *Page) error {
	type found struct {
		key, value []byte
		by         []any
	}
	var all []found
	where := make(map[string]any, len(q.Where))
	for field, raw := range q.Where {
		where[field] = decodeValue(raw)
	}
	err := bucket.ForEach(func(k, v []byte) error {
		fields := decodeValue(v[8:])
		for field, want := range where {
			if compare(at(fields, field), want) != 0 {
				return nil
			}
		}
		f := found{key: k, value: v}
		for _, order := range q.Sort {
			f.by = append(f.by, at(fields, order.Field))
		}
		all = append(all, f)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b found) int {
		for i, order := range q.Sort {
			if c := compare(a.by[i], b.by[i]); c != 0 {
				if order.Descending {
					return -c
				}
				return c
			}
		}
		return bytes.Compare(a.key, b.key)
	})
	page.Total = len(all)
	from, to := bounds(q, page.Total)
	for _, f := range all[from:to] {
		page.Records = append(page.Records, *decodeRecord(decodeKey(f.key), f.value))
	}
	return nil
}

func decodeValue(raw []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return nil
	}
	return v
}

// at follows "a.b" into objects; nil where there is nothing.
func at(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[name]
	}
	return v
}

// compare orders null, false, true, numbers, text, and everything else by its
// JSON.
func compare(a, b any) int {
	if c := rank(a) - rank(b); c != 0 {
		return c
	}
	switch x := a.(type) {
	case nil, bool:
		return 0
	case json.Number:
		return compareNumbers(x, b.(json.Number))
	case string:
		return strings.Compare(x, b.(string))
	}
	left, _ := json.Marshal(a)
	right, _ := json.Marshal(b)
	return bytes.Compare(left, right)
}

func rank(v any) int {
	switch x := v.(type) {
	case nil:
		return 0
	case bool:
		if x {
			return 2
		}
		return 1
	case json.Number:
		return 3
	case string:
		return 4
	}
	return 5
}

// compareNumbers is exact: a Long has more digits than a float64 keeps.
func compareNumbers(a, b json.Number) int {
	// An exponent of millions would fill the memory as an exact number.
	if len(a) > 64 || len(b) > 64 || strings.ContainsAny(string(a)+string(b), "eE") {
		x, _ := a.Float64()
		y, _ := b.Float64()
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	x, ok1 := new(big.Rat).SetString(string(a))
	y, ok2 := new(big.Rat).SetString(string(b))
	if !ok1 || !ok2 {
		return strings.Compare(string(a), string(b))
	}
	return x.Cmp(y)
}
