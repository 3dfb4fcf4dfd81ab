// Package names reads and writes distinguished names (X.501 Name, RFC 5280 section 4.1.2.4) with the members of the protocol, the Russian
// identifiers of the order of the Federal Security Service No. 795 included. Bytes in, bytes out.
package names
