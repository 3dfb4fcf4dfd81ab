// Package js holds the page's end of Pero, so that programs can serve the very module they were built with.
package js

import _ "embed"

// Module is pero.js, one ES module (text/javascript).
//
//go:embed pero.js
var Module []byte
