package check

import "testing"

func hold(token, asked, from, until int64) Hold {
	return Hold{Client: int(token), Token: token, Asked: asked * 1e6, From: from * 1e6, Until: until * 1e6}
}

func TestLock(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		jumps      bool
		holds      []Hold
	}{
		{"one after the other", "", false, []Hold{hold(1, 0, 1, 100), hold(2, 99, 101, 200), hold(5, 150, 201, 300)}},
		{"overlap", "two holders", false, []Hold{hold(1, 0, 1, 100), hold(2, 30, 50, 150)}},
		{"overlap with one long before", "; client 3", false, []Hold{
			hold(1, 0, 1, 100), hold(2, 2, 3, 4), hold(3, 30, 50, 150),
		}},
		{"overlap within the clocks' difference", "", false, []Hold{hold(1, 0, 1, 100), hold(2, 80, 97, 150)}},
		{"overlap where clocks jump", "", true, []Hold{hold(1, 0, 1, 100), hold(2, 30, 50, 150)}},
		{"given back early", "", false, []Hold{hold(1, 0, 1, 40), hold(2, 30, 50, 150)}},
		{"over before it was told", "", false, []Hold{hold(1, 0, 90, 80), hold(2, 70, 85, 150)}},
		{"tokens went back", "went back", true, []Hold{hold(2, 0, 1, 10), hold(1, 20, 21, 30)}},
		{"tokens went back, others between", "went back", true, []Hold{
			hold(2, 0, 1, 10), hold(1, 20, 21, 30), hold(3, 40, 41, 50), hold(9, 5, 60, 61),
		}},
		{"tokens of the same time", "", true, []Hold{hold(2, 0, 20, 25), hold(1, 15, 30, 35)}},
		{"one token twice", "twice", true, []Hold{hold(1, 0, 1, 10), hold(1, 20, 21, 30)}},
	} {
		t.Run(tc.name, func(t *testing.T) { judge(t, Lock("l", tc.holds, tc.jumps), tc.want) })
	}
}
