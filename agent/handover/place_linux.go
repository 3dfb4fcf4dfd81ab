package handover

// Account is the user the service runs as.
const Account = "pero"

// Default is the place that the installed service and the agents of this machine use. Each person's folder in it is made by the
// system when the person signs in (pero-user@.service), so nobody can take another's name.
func Default() (Place, error) { return place("/run/pero/agents") }
