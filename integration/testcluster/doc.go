// Package testcluster runs clusters of real redoubt processes for tests: it builds the binary once, starts nodes on free
// loopback ports with their data under t.TempDir, kills, stops, pauses and restarts them, and puts load on them that
// remembers what every write was told.
//
//	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
//	load := c.StartLoad(testcluster.LoadOptions{Writers: 4})
//	c.Leader().Kill9()
//	...
//	load.Stop().Verify(c)
//
// When the test ends, every node that runs and is in the cluster must be at the same log index with the same digest, and
// must stop on SIGTERM with exit status 0 (Options.Unchecked turns that off). A failed test prints the ends of the logs.
//
// Whatever goes wrong in here fails the test by its testing.TB, so all methods but those of Load belong to the test's
// goroutine. REDOUBT_BIN names a binary to test in place of a fresh build; REDOUBT_LONG=1 asks for the long versions of
// tests.
package testcluster
