package handover

// Account is the user the service runs as.
const Account = "_pero"

// Default is the place that the installed service and the agents of this machine use. The folder belongs to the service and anyone may
// make the own one in it (mode 1733): who makes another's is put out by the service.
func Default() (Place, error) { return place("/Library/Application Support/Pero/agents") }
