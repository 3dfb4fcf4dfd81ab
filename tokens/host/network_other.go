//go:build !linux

package host

// cutNetwork does nothing: what other systems have is an application sandbox, which a package must be signed for.
func cutNetwork() error { return nil }
