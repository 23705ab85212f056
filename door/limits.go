package door

// The figures of a server's door; see docs/limits.md.
const (
	// mostConnections is how many connections there may be if the file limit allows more. Each
	// takes 30 to 60 kB.
	mostConnections = 16_384
	// storeFiles are the files reserved for the store: a thousand tables that it keeps open, its
	// logs, and those of backups and compactions.
	storeFiles = 1_200
	// eachShare is the part of all connections that one address may have.
	eachShare = 8
)

// GoodFiles is how many files a server should be allowed to have open.
const GoodFiles = 4_096

// ServerLimits returns the limits of a server with a file limit (0 if unknown) and the operator's
// number of connections (0 if not set). It never gives the connections files that the store needs.
func ServerLimits(files, told int) Limits {
	room := mostConnections
	if files > 0 {
		room = files - storeFiles
		if files < 2*storeFiles {
			room = files / 2 // too few for both; see [GoodFiles]
		}
	}
	all := min(room, mostConnections)
	if told > 0 {
		all = min(room, told)
	}
	return Limits{All: max(all, 1), Each: max(all/eachShare, 16)}
}
