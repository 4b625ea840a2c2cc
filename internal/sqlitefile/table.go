package sqlitefile

import (
	"encoding/binary"
	"fmt"
)

// ErrStop is what a row function returns to end Rows without an error.
var ErrStop = fmt.Errorf("no more rows are wanted")

// Rows calls row with the columns of every row of a table, in the order of their row ids: nil, int64, float64, string or []byte.
// A table that is not there gives false.
func (d *Database) Rows(table string, row func(id int64, columns []any) error) (bool, error) {
	root := uint32(0)
	err := d.walk(1, func(_ int64, columns []any) error {
		if len(columns) < 4 || columns[0] != "table" || columns[1] != table {
			return nil
		}
		if n, ok := columns[3].(int64); ok && n > 0 && n < 1<<31 {
			root = uint32(n)
		}
		return ErrStop
	})
	if err != nil || root == 0 {
		return false, err
	}
	return true, d.walk(root, row)
}

// walk visits the rows of the table whose tree begins at page root.
func (d *Database) walk(root uint32, row func(int64, []any) error) error {
	w := &walker{db: d, row: row, left: int64(d.pages) + 1, bytes: int64(d.pages) * int64(d.pageSize)}
	if err := w.tree(root, 0); err != nil && err != ErrStop {
		return err
	}
	return nil
}

type walker struct {
	db   *Database
	row  func(int64, []any) error
	left int64 // pages that a sound tree can still have

	bytes int64 // that its rows can still have
}

// Kinds of pages of a table's tree, and the deepest tree that can be.
const (
	leafPage     = 0x0d
	interiorPage = 0x05
	maxDepth     = 40
)

func (w *walker) tree(n uint32, depth int) error {
	if w.left--; w.left < 0 || depth > maxDepth {
		return fmt.Errorf("the pages of a table form a circle: %w", ErrTorn)
	}
	page, err := w.db.page(n)
	if err != nil {
		return err
	}
	head := page
	if n == 1 {
		head = page[100:]
	}
	kind, cells := head[0], int(binary.BigEndian.Uint16(head[3:]))
	size := 8
	if kind == interiorPage {
		size = 12
	}
	if kind != leafPage && kind != interiorPage || size+2*cells > len(head) {
		return fmt.Errorf("page %d is not of a table: %w", n, ErrTorn)
	}
	for i := range cells {
		at := int(binary.BigEndian.Uint16(head[size+2*i:]))
		if at+4 > w.db.usable {
			return fmt.Errorf("page %d has a row beyond its end: %w", n, ErrTorn)
		}
		if err := w.cell(page[at:w.db.usable], kind, depth); err != nil {
			return err
		}
	}
	if kind == interiorPage {
		return w.tree(binary.BigEndian.Uint32(head[8:]), depth+1)
	}
	return nil
}

func (w *walker) cell(cell []byte, kind byte, depth int) error {
	if kind == interiorPage {
		return w.tree(binary.BigEndian.Uint32(cell), depth+1)
	}
	size, n := varint(cell)
	id, m := varint(cell[n:])
	if n == 0 || m == 0 || size > uint64(w.bytes) {
		return fmt.Errorf("a row of %d bytes, more than there can be: %w", size, ErrTorn)
	}
	w.bytes -= int64(size)
	content, err := w.db.payload(cell[n+m:], int(size))
	if err != nil {
		return err
	}
	columns, err := record(content)
	if err != nil {
		return err
	}
	return w.row(int64(id), columns)
}

// payload gathers a row's bytes: those in the page, then the chain of overflow pages.
func (d *Database) payload(cell []byte, size int) ([]byte, error) {
	local := size
	if most := d.usable - 35; size > most {
		least := (d.usable-12)*32/255 - 23
		local = least + (size-least)%(d.usable-4)
		if local > most {
			local = least
		}
	}
	if local > len(cell) || local < size && local+4 > len(cell) {
		return nil, fmt.Errorf("a row ends beyond its page: %w", ErrTorn)
	}
	content := append(make([]byte, 0, min(size, 1<<20)), cell[:local]...)
	if local == size {
		return content, nil
	}
	for next := binary.BigEndian.Uint32(cell[local:]); len(content) < size; {
		page, err := d.page(next)
		if err != nil {
			return nil, err
		}
		content = append(content, page[4:4+min(d.usable-4, size-len(content))]...)
		next = binary.BigEndian.Uint32(page)
	}
	return content, nil
}
