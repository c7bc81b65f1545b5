package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
)

// Fault is one thing that goes wrong for a while.
type Fault struct {
	Kind string

	begin func(ctx context.Context) (string, error)
	end   func(ctx context.Context) error // nil: it needs no end
}

// Begin lets it happen and says in a few words what was done to whom.
func (f *Fault) Begin(ctx context.Context) (string, error) {
	what, err := f.begin(ctx)
	if err != nil {
		return what, fmt.Errorf("begin %s: %w", f.Kind, err)
	}
	return what, nil
}

// End heals what Begin did, as far as that is not for Revive and Restore to do. It may be called after a Begin that failed.
func (f *Fault) End(ctx context.Context) error {
	if f.end == nil {
		return nil
	}
	if err := f.end(ctx); err != nil {
		return fmt.Errorf("end %s: %w", f.Kind, err)
	}
	return nil
}

// needs is what a kind of faults takes beside processes.
type needs int

const (
	needsNetwork needs = 1 << iota // namespaces
	needsSmall                     // disks that can be filled
	needsPower                     // disks that can lose their power
	needsStrace
	needsClock // DEBUG CLOCK-OFFSET
)

// Kind is a sort of fault.
type Kind struct {
	Name string
	// Stops says that nodes may stop by themselves, by design, while it lasts or after.
	Stops bool
	// Jumps says that clocks are not to be trusted meanwhile.
	Jumps bool
	// Lasts is how long one must be able to last to show all that it does; 0 where any time will do.
	Lasts time.Duration

	needs needs
	make  func(c *Cluster, r *rand.Rand) *Fault
}

// New makes a fault, which chooses by the random source.
func (k *Kind) New(c *Cluster, r *rand.Rand) *Fault {
	f := k.make(c, r)
	f.Kind = k.Name
	return f
}

// kinds are all of them but mixed, which is made of the others.
var kinds = slices.Concat(processKinds, networkKinds, clusterKinds, diskKinds, clockKinds)

// Kinds lists the names of all kinds.
func Kinds() []string {
	var out []string
	for _, k := range kinds {
		out = append(out, k.Name)
	}
	return append(out, mixedName)
}

// Choose turns names into kinds: those that can be had here, and for each of the others a line that says why not. "all"
// stands for every kind. The mixture, if it is named, is of the kinds that are named beside it, or of all if it is alone.
func Choose(names []string) (chosen []*Kind, refused []string, err error) {
	mix := slices.Contains(names, mixedName) || slices.Contains(names, "all")
	alone := len(names) == 1 && names[0] == mixedName
	if alone || slices.Contains(names, "all") {
		names = Kinds()
	}
	for _, name := range names {
		if name == mixedName {
			continue
		}
		k := byName(name)
		if k == nil {
			return nil, nil, fmt.Errorf("no fault is called %q; there are: all, %s", name, strings.Join(Kinds(), ", "))
		}
		if err := k.Available(); err != nil {
			refused = append(refused, fmt.Sprintf("%s: %v", k.Name, err))
			continue
		}
		chosen = append(chosen, k)
	}
	if !mix || len(chosen) == 0 {
		return chosen, refused, nil
	}
	mixture := mixed(chosen)
	if alone {
		return []*Kind{mixture}, refused, nil
	}
	return append(chosen, mixture), refused, nil
}

func byName(name string) *Kind {
	for _, k := range kinds {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// Available says why this machine can't have the kind, nil if it can.
func (k *Kind) Available() error {
	if k.needs&(needsNetwork|needsSmall|needsPower) != 0 {
		if err := Isolation(); err != nil {
			return err
		}
	}
	var tools []string
	if k.needs&needsPower != 0 {
		tools = append(tools, "mkfs.xfs", "xfs_io")
		if _, err := os.Stat("/dev/loop-control"); err != nil {
			return fmt.Errorf("no loop devices: %w", err)
		}
	}
	if k.needs&needsStrace != 0 {
		tools = append(tools, "strace")
		if os.Geteuid() != 0 {
			return errors.New("attaching strace takes root")
		}
	}
	if t := missing(tools...); t != "" {
		return fmt.Errorf("%s is not installed", t)
	}
	return nil
}

// DiskFor is the disk that all of the kinds can do with.
func DiskFor(chosen []*Kind) Disk {
	var n needs
	for _, k := range chosen {
		n |= k.needs
	}
	switch {
	case n&needsPower != 0:
		return XFS
	case n&needsSmall != 0:
		if byName("power-cut").Available() == nil {
			return XFS // which can be looked at afterwards
		}
		return Tmpfs
	}
	return Plain
}

const mixedName = "mixed"

// mixedMin and mixedMax are how many faults there are at one time.
const (
	mixedMin = 2
	mixedMax = 3
)

// mixed is several faults of other kinds at one time. Some may find nothing left to harm.
func mixed(of []*Kind) *Kind {
	m := &Kind{Name: mixedName}
	for _, k := range of {
		m.Stops, m.Jumps, m.needs = m.Stops || k.Stops, m.Jumps || k.Jumps, m.needs|k.needs
		m.Lasts = max(m.Lasts, k.Lasts)
	}
	m.make = func(c *Cluster, r *rand.Rand) *Fault {
		var parts []*Fault
		for range mixedMin + r.IntN(mixedMax-mixedMin+1) {
			parts = append(parts, of[r.IntN(len(of))].New(c, r))
		}
		return &Fault{
			begin: func(ctx context.Context) (string, error) {
				var said []string
				for _, p := range parts {
					what, err := p.Begin(ctx)
					if err != nil {
						c.o.Log("mixed: %v", err) // the others may have left it nobody to strike
						what += " (failed)"
					}
					said = append(said, p.Kind+" "+what)
				}
				return strings.Join(said, "; "), nil
			},
			end: func(ctx context.Context) error {
				var errs []error
				for _, p := range slices.Backward(parts) {
					errs = append(errs, p.End(ctx))
				}
				return errors.Join(errs...)
			},
		}
	}
	return m
}
