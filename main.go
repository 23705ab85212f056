// Trunklog keeps the call log of a Microsoft Teams Direct Routing trunk and
// serves it through the API of Microsoft Graph. See README.md.
package main

import (
	"os"

	"github.com/trunklog/trunklog/cli"
)

// release is set where a release is built: -ldflags "-X main.release=1.2.3".
var release string

func main() { os.Exit(cli.Main(release)) }
