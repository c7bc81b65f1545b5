package check

import "testing"

func TestBankReads(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		leading    bool
		balances   []int64
	}{
		{"as opened", "", true, []int64{10, 10, 10}},
		{"moved", "", false, []int64{0, 30, 0}},
		{"half a transfer", "the total is 25", false, []int64{5, 10, 10}},
		{"half a transfer at the leader", "the total is 35", true, []int64{10, 15, 10}},
		{"overdrawn", "overdrawn", true, []int64{-5, 25, 10}},
		{"before they were opened", "", false, []int64{Absent, Absent, Absent}},
		{"gone", "LOST", true, []int64{Absent, Absent, Absent}},
		{"some are there", "some accounts", false, []int64{Absent, 20, 10}},
		{"too few", "some accounts", false, []int64{30}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := Bank{Accounts: 3, Initial: 10}
			b.Read(BankRead{Leading: tc.leading, Balances: tc.balances})
			judge(t, b.Violations(), tc.want)
		})
	}
}

func TestBankFinal(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		balances   []int64
	}{
		{"acknowledged", "", []int64{5, 15, 10}},
		{"acknowledged and unknown", "", []int64{5, 12, 13}},
		{"acknowledged is lost", "account 0 holds 10", []int64{10, 10, 10}},
		{"refused is there", "account 0 holds 4", []int64{4, 15, 11}},
		{"unknown was done twice", "account 1 holds 9", []int64{5, 9, 16}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := Bank{Accounts: 3, Initial: 10}
			b.Transfer(BankTransfer{From: 0, To: 1, Amount: 5})
			b.Transfer(BankTransfer{From: 1, To: 2, Amount: 3, Outcome: Unknown})
			b.Transfer(BankTransfer{From: 0, To: 2, Amount: 1, Outcome: Refused})
			b.Final(BankRead{Leading: true, Balances: tc.balances})
			judge(t, b.Violations(), tc.want)
		})
	}
}
