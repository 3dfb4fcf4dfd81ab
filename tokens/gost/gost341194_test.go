package gost

import (
	"encoding/hex"
	"strings"
	"testing"
)

// The published values; but for the empty message openssl with gost-engine prints the same.
func Test341194(t *testing.T) {
	for message, want := range map[string]string{
		"":                                 "981e5f3ca30c841487830f84fb433e13ac1101569b9c13584ac483234cd656c0",
		"a":                                "e74c52dd282183bf37af0079c9f78055715a103f17e3133ceff1aacf2f403011",
		"abc":                              "b285056dbf18d7392d7677369524dd14747459ed8143997e163b2986f92fd42c",
		"message digest":                   "bc6041dd2aa401ebfa6e9886734174febdb4729aa972d60f549ac39b29721ba0",
		strings.Repeat("U", 128):           "1c4ac7614691bbf427fa2316216be8f10d92edfd37cd1027514c1008f649c4e8",
		"This is message, length=32 bytes": "2cefc2f7b7bdc514e18ea57fa74ff357e7fa17d652c75f69cb1be7893ede48eb",
	} {
		h := New341194()
		h.Write([]byte(message))
		if got := hex.EncodeToString(h.Sum(nil)); got != want {
			t.Errorf("%q = %s, want %s", message, got, want)
		}
	}
}
