package fault

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
)

// processKinds are what happens to processes.
var processKinds = []*Kind{
	{Name: "kill9-one", make: kill9(anyOne)},
	{Name: "kill9-leader", make: kill9(theLeader)},
	{Name: "kill9-majority", make: kill9(aMajority)},
	{Name: "kill9-all", make: kill9(all)},
	{Name: "pause-leader", make: pause(theLeader)},
	{Name: "pause", make: pause(oneOf(anyOne, aMajority))},
}

// kill9 ends nodes without a warning, all at one time; Revive starts them again.
func kill9(whom target) func(*Cluster, *rand.Rand) *Fault {
	return func(c *Cluster, r *rand.Rand) *Fault {
		return &Fault{begin: func(ctx context.Context) (string, error) {
			victims, err := whom(ctx, c, r)
			if err != nil {
				return "", err
			}
			var wg sync.WaitGroup
			for _, n := range victims {
				wg.Go(n.Kill9)
			}
			wg.Wait()
			return ids(victims), nil
		}}
	}
}

// pause stops processes as they stand. What their clients and the other nodes send meanwhile waits in their sockets.
func pause(whom target) func(*Cluster, *rand.Rand) *Fault {
	return func(c *Cluster, r *rand.Rand) *Fault {
		var victims []*Node
		return &Fault{
			begin: func(ctx context.Context) (what string, err error) {
				if victims, err = whom(ctx, c, r); err != nil {
					return "", err
				}
				var errs []error
				for _, n := range victims {
					errs = append(errs, n.Pause())
				}
				return ids(victims), errors.Join(errs...)
			},
			end: func(context.Context) error {
				var errs []error
				for _, n := range victims {
					errs = append(errs, n.Continue())
				}
				return errors.Join(errs...)
			},
		}
	}
}
