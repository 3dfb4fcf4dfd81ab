package pinentrytest_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/window/pinentrytest"
)

func TestAnswersAreTakenLineByLine(t *testing.T) {
	dir := pinentrytest.Build(t)
	pinentrytest.SetAnswers(t, dir, "pin 12%34", "cancel", "ok")
	ask := func(lines string) string {
		c := exec.Command(filepath.Join(dir, "pinentry"))
		c.Stdin = strings.NewReader(lines)
		out, err := c.Output()
		require.NoError(t, err)
		return string(out)
	}
	require.Contains(t, ask("SETDESC one%0Atwo\nSETREPEAT again\nGETPIN\n"), "S PIN_REPEATED\nD 12%2534\nOK\n")
	out := ask("CONFIRM\nCONFIRM\nCONFIRM\n")
	require.Equal(t, 1, strings.Count(out, "ERR 83886179"), "the last line repeats")

	seen := pinentrytest.Transcript(t, dir)
	require.Len(t, seen, 4)
	require.Equal(t, pinentrytest.Dialog{Command: "getpin", Description: "one\ntwo", Repeat: "again"}, seen[0])
	require.Equal(t, "confirm", seen[3].Command)

	pinentrytest.SetAnswers(t, dir, "file /tmp/x")
	out2, err := exec.Command(filepath.Join(dir, "pinentry"), "--file-selection", "--save", "--filename=/home/x/keys.p12").Output()
	require.NoError(t, err)
	require.Equal(t, "/tmp/x\n", string(out2))
	last := pinentrytest.Transcript(t, dir)[4]
	require.Equal(t, "save", last.Command)
	require.Equal(t, "/home/x/keys.p12", last.Name)
}
