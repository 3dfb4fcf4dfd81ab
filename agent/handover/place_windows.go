package handover

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// Account is the user the service runs as: Windows' own account for the service of this name.
const Account = `NT SERVICE\pero`

// Place is where the service and the agents of one machine meet.
type Place struct {
	Pipe    string // each session has a pipe of this name with its number after it
	Doorman string // the SID from which an agent takes connections
}

// Default is the place that the installed service and the agents of this machine use.
func Default() (Place, error) {
	return Place{Pipe: `\\.\pipe\pero-agent-`, Doorman: serviceSID("pero")}, nil
}

// serviceSID is the SID that Windows gives the account of a service: S-1-5-80 and the five words of the SHA-1 of its name in upper
// case ([MS-DTYP] section 2.4.2.4, NT SERVICE). It is there before the service is.
func serviceSID(name string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(strings.ToUpper(name))) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	sum := sha1.Sum(b)
	sid := "S-1-5-80"
	for i := 0; i < len(sum); i += 4 {
		sid += fmt.Sprintf("-%d", binary.LittleEndian.Uint32(sum[i:]))
	}
	return sid
}

func (p Place) pipe(session uint32) string { return fmt.Sprintf("%s%d", p.Pipe, session) }
