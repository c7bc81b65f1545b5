package fsm

// Keyspace counts one database's keys, those that have expired but not been removed included.
type Keyspace struct {
	DB, Keys, Expires int
	// AvgTTLMillis is the mean time to live of a sample of the keys that expire, in milliseconds.
	AvgTTLMillis int64
}

// ttlSample bounds how many deadlines are looked at for a mean.
const ttlSample = 100

// Keyspaces lists the databases that are not empty, by number.
func (m *Machine) Keyspaces() []Keyspace {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Keyspace
	for i, ks := range m.dbs {
		if ks.keys == 0 {
			continue
		}
		k := Keyspace{DB: i, Keys: ks.keys, Expires: ks.deadlines.Len()}
		step := max(1, k.Expires/ttlSample)
		sum, n := int64(0), int64(0)
		for at := 0; at < k.Expires; at += step {
			if d, ok := ks.deadlines.GetAt(at); ok {
				sum += max(0, d.at-m.now)
				n++
			}
		}
		if n > 0 {
			k.AvgTTLMillis = sum / n
		}
		out = append(out, k)
	}
	return out
}
