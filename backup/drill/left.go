package drill

import (
	"errors"
	"time"
)

// Leftover is a container in which a drill whose run is dead may have left a home.
type Leftover struct {
	Name   string // of the container
	At     time.Time
	Record string // the file by which the next drill finds it
}

// Left names what the next drill takes away. It asks no engine, so that every command can tell. The error names records
// that no drill acts on.
func Left(dir string) (left []Leftover, problems error) {
	records := shelf(dir)
	all, err := records.All()
	if err != nil {
		return nil, err
	}
	for _, seen := range all {
		switch {
		case seen.Owner != nil: // a drill that runs just now
		case seen.Err != nil:
			problems = errors.Join(problems, seen.Err)
		default:
			left = append(left, Leftover{Name: seen.Value.Name, At: seen.Value.At, Record: records.Path(seen.Key)})
		}
	}
	return left, problems
}
