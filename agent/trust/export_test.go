package trust

// What a root's key could do while there is one.
var (
	NewRoot   = newRoot
	Constrain = constrain
	Issue     = issue
	Lock      = lock
	Write     = write
)

// File is the one file of an authority.
const File = file

// Due is how long before its end an authority is renewed.
const Due = due
