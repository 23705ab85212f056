// Trunklog keeps the call log of a Microsoft Teams Direct Routing trunk and
// serves it through the API of Microsoft Graph. See README.md.
package main

import (
	"os"

	"github.com/trunklog/trunklog/cli"
)

// What was built, as -ldflags "-X main.commit=…" says: the version of a release, the commit
// and its date.
var release, commit, date string

func main() { os.Exit(cli.Main(cli.Build{Release: release, Commit: commit, Date: date})) }
