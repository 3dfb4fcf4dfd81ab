package file_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
)

// A password is made of letters: "й" and "é" as one code point and as two are the same to a person, and which of them a keyboard gives is not hers to see.
func TestPasswordIsTheSameFromEveryKeyboard(t *testing.T) {
	const composed, decomposed = "\u0439\u043e\u0434 \u00e9t\u00e9", "\u0438\u0306\u043e\u0434 e\u0301te\u0301"
	both := []string{composed, decomposed}
	for _, typed := range both {
		dir := t.TempDir()
		m := file.New(filepath.Join(dir, "keys"))
		token := newStore(t, m)
		s := login(t, m, token.ID, typed)
		_, err := s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.ECP256, Label: "ours"})
		require.NoError(t, err)
		for _, again := range both {
			login(t, m, token.ID, again)
		}
		_, err = m.Login(t.Context(), token.ID, pin("\u0438\u043e\u0434 \u00e9t\u00e9"), nil)
		require.ErrorIs(t, err, tokens.ErrPINIncorrect, "another letter")
		run(t, "openssl", "pkcs12", "-in", filepath.Join(dir, "keys", token.Label+".p12"), "-passin", "pass:"+composed, "-nodes", "-out", filepath.Join(dir, "out"))

		// Another program's file, under the octets that it was given.
		foreign, key := filepath.Join(dir, "foreign.p12"), filepath.Join(dir, "key")
		run(t, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", key+".pem", "-subj", "/CN=x")
		run(t, "openssl", "pkcs12", "-export", "-inkey", key, "-in", key+".pem", "-passout", "pass:"+typed, "-out", foreign)
		for _, again := range both {
			elsewhere := file.New(filepath.Join(dir, "of "+again))
			adopted, err := elsewhere.Adopt(t.Context(), foreign, pin(again))
			require.NoError(t, err)
			for _, later := range both {
				login(t, elsewhere, adopted.ID, later)
			}
			require.NoError(t, elsewhere.Copy(t.Context(), adopted.ID, pin(again), filepath.Join(dir, "copy of "+again)))
			require.FileExists(t, foreign)
		}
		require.NoError(t, os.Remove(foreign))
	}
}
