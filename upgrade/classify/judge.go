package classify

// weight is what one signal says.
type weight int

const (
	silent   weight = iota // does not apply to this sandbox
	noted                  // could not be looked at, and need not be
	agrees                 // both values known, nothing behind
	behind                 // proves that the sandbox is stale
	doubtful               // should have been looked at and could not be
)

// signal is one comparison with its outcome.
type signal struct {
	weight
	Reason
}

// judge settles c's state: one proof makes it stale; else one doubt makes it unknown; else one agreement makes it
// current. A sandbox about which nothing could be compared is unknown.
func (c *Checked) judge(signals []signal) {
	by := map[weight][]Reason{}
	for _, s := range signals {
		by[s.weight] = append(by[s.weight], s.Reason)
	}
	c.Unproven = append(by[noted], by[doubtful]...)
	switch {
	case len(by[behind]) > 0:
		c.State, c.Reasons = Stale, append(c.Reasons, by[behind]...)
	case len(by[doubtful]) > 0:
		c.State, c.Reasons, c.Unproven = Unknown, append(c.Reasons, by[doubtful]...), by[noted]
	case len(by[agrees]) > 0:
		c.State = Current
	default:
		c.State, c.Unproven = Unknown, nil
		c.Reasons = append(c.Reasons, by[noted]...)
		if len(c.Reasons) == 0 {
			c.Reasons = append(c.Reasons, Reason{Code: CodeInventory, Detail: "nothing about it can be compared: no agent, no image tag and no supervisor is known"})
		}
	}
}
